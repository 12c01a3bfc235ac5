--!include time owner ops
-- Takes the turn in a conversation.
--
-- KEYS  fence ops about [wm log idx ltm br]
-- ARGV  ttl (ms), user, window, lane, number
-- Reply {number of the turn, or 0, ms that the turn of somebody else still lasts}
local fence, ops, about = unpack(KEYS)
local ttl, user, window, lane, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return { done == '' and '0' or done, 0 } end

local now = now_ms()
local turn, ends = turn_of(about)
if turn and ends > now then
  record(ops, lane, number, '0', window)
  return { '0', ends - now }
end
if stale then forget_about(about) end
turn = digits(math.max(now_us(), (tonumber(turn) or 0) + 1))
local left = redis.call('PTTL', about)
redis.call('HSET', about, 'l', turn .. ':' .. digits(now + ttl))
if left == -2 or (left >= 0 and left < ttl) then redis.call('PEXPIRE', about, ttl) end
record(ops, lane, number, turn, window)
return { turn, 0 }
