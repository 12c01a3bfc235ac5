--!include owner ops order
-- Puts other bytes in the place of a record, if its bytes are still those that the writer saw.
--
-- KEYS  log pos idx ops about [wm log idx ltm]
-- ARGV  ttl, user, window, lane, number, id, SHA-1 of the old bytes (hex), new bytes
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local log, pos, idx, ops, about = unpack(KEYS)
local ttl, user, window, lane, number, id, old, new = unpack(ARGV)
ttl = tonumber(ttl)
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done and done ~= '0' then return { 1 } end
local wire, place = record_at(log, pos, idx, id)
if done or not wire or redis.sha1hex(wire) ~= old then
  -- Noted, or it could land late, on bytes that happen to be the old ones again.
  if not done then record(ops, lane, number, '0', tonumber(window)) end
  return wire and { 0, wire } or { 0 }
end
claim(about, user, ttl)
redis.call('LSET', log, place, new)
touch(ttl, log, pos, idx)
record(ops, lane, number, '1', tonumber(window))
return { 1 }
