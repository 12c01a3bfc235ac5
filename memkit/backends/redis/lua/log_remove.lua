--!include owner ops order
-- Removes one record of a log. Its place stays, dead, so that those of the others hold and a late repeat of its append is
-- recognised; dead places at either end go.
--
-- KEYS  pos gone ops about wm log idx ltm
-- ARGV  user, window, lane, number, id, SHA-1 of the bytes that must be there (hex), or '' for any
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local pos, gone, ops, about, _, log, idx = unpack(KEYS)
local user, window, lane, number, id, old = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not owned(about, user) then return NOT_OWNER end
make_room(ops)
local done = replay(ops, lane, number)
if done == '1' then return { 1 } end
local wire, place = record_at(log, pos, idx, id)
if done or not wire or (old ~= '' and redis.sha1hex(wire) ~= old) then
  if not done then record(ops, lane, number, '0', window) end
  return wire and old ~= '' and { 0, wire } or { 0 }
end

redis.call('LSET', log, place, DEAD)
redis.call('HINCRBY', idx, '', 1)

-- What pos loses is kept for late repeats in `gone`.
local since = now_ms() - window
local function forget(element)
  local lost = id_of(element)
  remember(gone, lost, since)
  if redis.call('HGET', idx, lost) == key_of(element) then redis.call('HDEL', idx, lost) end
  redis.call('HINCRBY', idx, '', -1)
end
while redis.call('LLEN', log) > 1 and redis.call('LINDEX', log, 0) == DEAD do
  redis.call('LPOP', log)
  forget(redis.call('LPOP', pos))
end
-- The last order key stays, whatever becomes of its record.
while redis.call('LLEN', log) > 1 and redis.call('LINDEX', log, -1) == DEAD and redis.call('LINDEX', log, -2) == DEAD do
  redis.call('RPOP', log)
  local last = redis.call('RPOP', pos)
  forget(redis.call('RPOP', pos))
  redis.call('RPUSH', pos, last)
end
if redis.call('EXISTS', gone) == 1 then redis.call('PEXPIRE', gone, window) end

-- The hash may be new: it must not outlive the log.
local left = redis.call('PTTL', log)
if left > 0 then redis.call('PEXPIRE', idx, left) end
if live(log, idx) == 0 then
  touch(window, log, pos, idx)
  release(about)
end
record(ops, lane, number, '1', window)
return { 1 }
