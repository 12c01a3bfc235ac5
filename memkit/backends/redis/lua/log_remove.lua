--!include owner ops order release
-- Removes one record of a log. Its place stays, dead, so that those of the others hold and a late repeat of its append
-- is recognised.
--
-- KEYS  log pos idx ops about wm ltm
-- ARGV  user, window, lane, number, id, SHA-1 of the bytes that must be there (hex), or '' for any
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local log, pos, idx, ops, about, wm, ltm = unpack(KEYS)
local user, window, lane, number, id, old = unpack(ARGV)
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return { tonumber(done) or 0 } end
local wire, place = record_at(log, pos, idx, id)
if not wire then
  record(ops, lane, number, '0', tonumber(window))
  return { 0 }
end
if old ~= '' and redis.sha1hex(wire) ~= old then return { 0, wire } end
redis.call('LSET', log, place, DEAD)
redis.call('HINCRBY', idx, '', 1)
-- The hash may be new: it must not outlive the log.
local left = redis.call('PTTL', log)
if left > 0 then redis.call('PEXPIRE', idx, left) end
record(ops, lane, number, '1', tonumber(window))
if live(log, idx) == 0 then release(about, wm, log, idx, ltm) end
return { 1 }
