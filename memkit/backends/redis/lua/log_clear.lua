--!include owner ops order release
-- Removes all records of a log. What is left for `window` milliseconds holds no data: one dead place with the last order
-- key, and the ids of recent appends, so that their late repeats are recognised.
--
-- KEYS  log pos idx gone ops about wm ltm
-- ARGV  user, window, lane, number
-- Reply how many records there were
local log, pos, idx, gone, ops, about, wm, ltm = unpack(KEYS)
local user, window, lane, number = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end

local count = live(log, idx)
local recent = now_ms() - window

local function remember(id)
  if #id ~= 16 or struct.unpack('>I6', id) < recent then return false end
  redis.call('ZADD', gone, 0, id)
  return true
end

local top = redis.call('LINDEX', pos, -1)
if top then
  local last = -1
  repeat
    local keys = redis.call('LRANGE', pos, last - 255, last)
    local more = #keys == 256
    for n = #keys, 1, -1 do more = remember(keys[n]) and more end
    last = last - 256
  until not more
  for _, id in ipairs(redis.call('HKEYS', idx)) do remember(id) end
  redis.call('DEL', log, pos, idx)
  redis.call('RPUSH', log, DEAD)
  redis.call('RPUSH', pos, top)
  redis.call('HSET', idx, '', 1)
  touch(window, log, pos, idx)
  redis.call('PEXPIRE', gone, window)
end
record(ops, lane, number, string.format('%d', count), window)
release(about, wm, log, idx, ltm)
return count
