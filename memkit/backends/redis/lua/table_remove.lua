--!include time owner ops rows
-- Removes one row.
--
-- KEYS  fence ltz ltx ops about wm log idx ltm br
-- ARGV  user, window, lane, number, id, SHA-1 of the bytes that must be there (hex), or '' for any
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local fence, ltz, ltx, ops, about, _, _, _, ltm = unpack(KEYS)
local user, window, lane, number, id, old = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
make_room(ops)
local done = replay(ops, lane, number)
if done == '1' then return { 1 } end
expire_rows(ltm, ltz, ltx, now_ms())
local wire = redis.call('HGET', ltm, id)
if done or not wire or (old ~= '' and redis.sha1hex(wire) ~= old) then
  if not done then record(ops, lane, number, '0', window) end
  return wire and old ~= '' and { 0, wire } or { 0 }
end
drop(ltm, ltz, ltx, id)
settle(ltm, ltz, ltx)
release(about)
record(ops, lane, number, '1', window)
return { 1 }
