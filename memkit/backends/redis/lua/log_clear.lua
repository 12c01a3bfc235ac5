--!include owner ops order
-- Removes all records of a log. What is left for `window` milliseconds holds no data: one dead place with the last order
-- key, and the ids of recent appends, so that their late repeats are recognised.
--
-- KEYS  pos gone ops about wm log idx ltm
-- ARGV  user, window, lane, number
-- Reply how many records there were
local pos, gone, ops, about, _, log, idx = unpack(KEYS)
local user, window, lane, number = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if not owned(about, user) then return NOT_OWNER end
make_room(ops)
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end

local count = live(log, idx)
local since = now_ms() - window
local top = redis.call('LINDEX', pos, -1)
local last, more = -1, true
while more do
  local elements = redis.call('LRANGE', pos, last - 255, last)
  more = #elements == 256
  for n = #elements, 1, -1 do
    local element = elements[n]
    remember(gone, id_of(element), since)
    -- Order keys rise, and most are ids that tell their time: below an old one there are only older ones.
    if #element == 16 and struct.unpack('>I6', element) < since then more = false end
  end
  last = last - 256
end
redis.call('DEL', log, pos, idx)
if top then
  redis.call('RPUSH', log, DEAD)
  redis.call('RPUSH', pos, key_of(top))
  redis.call('HSET', idx, '', 1)
  touch(window, log, pos, idx)
end
if redis.call('EXISTS', gone) == 1 then redis.call('PEXPIRE', gone, window) end
release(about)
record(ops, lane, number, string.format('%d', count), window)
return count
