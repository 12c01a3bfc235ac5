--!include owner order ops
-- Appends records to a log, all or none; those that are there already are passed over.
--
-- KEYS  log pos idx gone ops about [wm log idx ltm]
-- ARGV  ttl (ms, 0 for ever), user ('' asks nothing), window (ms), lane, number, flags, then id and bytes of each record
--       flags: a character for each record: 'n' memkit named it for this very call, 'g' its id was given by the caller
-- Reply how many were new
--
-- A named id that is above the last order key and not in idx was never stored: the last order key only ever rises while
-- the log lives, and the log outlives its own removal by `window`. So the usual append needs no search. Given ids can be
-- stored anew after a removal, so a repeat is told by its lane; and so is one from a writer whose clock is far off, whose
-- ids `gone` would keep too short.
local log, pos, idx, gone, ops, about = unpack(KEYS)
local ttl, user, window, lane, number, flags = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if not owned(about, user) then return NOT_OWNER end

local NAMED = 110
local now = now_ms()
local given = string.find(flags, 'g', 1, true)
local tracked = given or math.abs(struct.unpack('>I6', ARGV[7]) - now) > window / 4
if tracked then
  local done = replay(ops, lane, number)
  if done then return tonumber(done) or 0 end
end

local top = redis.call('LINDEX', pos, -1)

-- Whether an id may be its own order key. One from the future may not: everybody else's would be below it.
local function leads(id)
  local version = #id == 16 and string.byte(id, 7)
  return version and version >= 112 and version < 128 and struct.unpack('>I6', id) <= now + DAY
    and (not top or below(top, id))
end

local function known(id, flag)
  if flag ~= NAMED then return record_at(log, pos, idx, id) end
  return redis.call('HEXISTS', idx, id) == 1 or redis.call('ZSCORE', gone, id) or place_of(pos, idx, id)
end

local function push(id, wire, key)
  local element = key
  if key ~= id then
    redis.call('HSET', idx, id, key)
    element = key .. id
  elseif redis.call('HEXISTS', idx, id) == 1 then
    redis.call('HDEL', idx, id)
  end
  local records, keys = redis.call('RPUSH', log, wire), redis.call('RPUSH', pos, element)
  if records == keys then return element end
  redis.call('RPOP', log)
  redis.call('RPOP', pos)
end

local new = 0
for n = 1, #flags do
  local flag, id, wire = string.byte(flags, n), ARGV[5 + 2 * n], ARGV[6 + 2 * n]
  local first = leads(id)
  local fresh = flag == NAMED and top and first and redis.call('HEXISTS', idx, id) == 0
  if fresh or not known(id, flag) then
    top = push(id, wire, first and id or after(top))
    -- Evicted by half: nothing may be added to what is left.
    if not top then return redis.error_reply('MKHALF one key of a log was evicted and the other was not') end
    new = new + 1
  end
end
-- A late repeat neither claims nor keeps alive what was changed or removed meanwhile.
if new > 0 or (given and live(log, idx) > 0) then
  claim(about, user, ttl)
  touch(ttl, log, pos, idx)
end
if tracked then record(ops, lane, number, tostring(new), window) end
return new
