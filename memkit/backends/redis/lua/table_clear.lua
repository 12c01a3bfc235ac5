--!include owner ops rows order release
-- Removes all rows.
--
-- KEYS  ltm ltz ltx ops about wm log idx
-- ARGV  user, window, lane, number
-- Reply how many there were
local ltm, ltz, ltx, ops, about, wm, log, idx = unpack(KEYS)
local user, window, lane, number = unpack(ARGV)
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
expire_rows(ltm, ltz, ltx, server_ms())
local count = redis.call('HLEN', ltm)
redis.call('DEL', ltm, ltz, ltx)
record(ops, lane, number, tostring(count), tonumber(window))
release(about, wm, log, idx, ltm)
return count
