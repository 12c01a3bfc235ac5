--!include time owner ops
-- Lets a turn last that long from now on; 0 gives it back.
--
-- KEYS  fence ops about [wm log idx ltm br]
-- ARGV  ttl (ms), user, window, lane, number, number of the turn
-- Reply 1 done, 0 it was over
local fence, ops, about = unpack(KEYS)
local ttl, user, window, lane, number, turn = unpack(ARGV)
ttl, window = tonumber(ttl), tonumber(window)
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
local now = now_ms()
local holder, ends = turn_of(about)
local holds = holder == turn and ends > now
if holds and ttl == 0 then
  -- The number stays: the next one must be above it.
  redis.call('HSET', about, 'l', turn .. ':0')
elseif holds then
  redis.call('HSET', about, 'l', turn .. ':' .. digits(now + ttl))
  local left = redis.call('PTTL', about)
  if left >= 0 and left < ttl then redis.call('PEXPIRE', about, ttl) end
end
record(ops, lane, number, holds and '1' or '0', window)
return holds and 1 or 0
