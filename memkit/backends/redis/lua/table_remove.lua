--!include owner ops rows order release
-- Removes one row.
--
-- KEYS  ltm ltz ltx ops about wm log idx
-- ARGV  user, window, lane, number, id, SHA-1 of the bytes that must be there (hex), or '' for any
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local ltm, ltz, ltx, ops, about, wm, log, idx = unpack(KEYS)
local user, window, lane, number, id, old = unpack(ARGV)
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return { tonumber(done) or 0 } end
expire_rows(ltm, ltz, ltx, server_ms())
local wire = redis.call('HGET', ltm, id)
if wire and old ~= '' and redis.sha1hex(wire) ~= old then return { 0, wire } end
local count = drop(ltm, ltz, ltx, id)
settle(ltm, ltz, ltx)
record(ops, lane, number, tostring(count), tonumber(window))
if count == 1 then release(about, wm, log, idx, ltm) end
return { count }
