--!include time owner ops rows
-- Removes all rows.
--
-- KEYS  fence ltz ltx ops about wm log idx ltm br
-- ARGV  user, window, lane, number
-- Reply how many there were
local fence, ltz, ltx, ops, about, _, _, _, ltm = unpack(KEYS)
local user, window, lane, number = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
make_room(ops)
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
expire_rows(ltm, ltz, ltx, now_ms())
local count = redis.call('HLEN', ltm)
redis.call('DEL', ltm, ltz, ltx)
release(about)
record(ops, lane, number, tostring(count), window)
return count
