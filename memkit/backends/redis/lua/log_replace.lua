--!include time owner ops turn order
-- Puts other bytes in the place of a record, if its bytes are still those that the writer saw.
--
-- KEYS  fence log pos idx ops about [wm log idx ltm br]
-- ARGV  ttl (see ttl_of), user, window, lane, number, turn, id, SHA-1 of the old bytes (hex), new bytes, mark
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local fence, log, pos, idx, ops, about = unpack(KEYS)
local asked, user, window, lane, number, turn, id, old, new, mark = unpack(ARGV)
window = tonumber(window)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done and done ~= '0' then return { 1 } end
local wire, place = record_at(log, pos, idx, id)
if done or not wire or redis.sha1hex(wire) ~= old then
  -- Noted, or it could land late, on bytes that happen to be the old ones again.
  if not done then record(ops, lane, number, '0', window) end
  return wire and { 0, wire } or { 0 }
end
redis.call('LSET', log, place, new)
local element = redis.call('LINDEX', pos, place)
mark = tonumber(mark)
if mark_of(element) ~= mark then
  redis.call('LSET', pos, place, element_of(key_of(element), id, mark))
  redis.call('HDEL', about, 'p' .. id)
  if has(mark, PINNED) then redis.call('HSET', about, 'p' .. id, 1) end
end
local ttl = ttl_of(about, asked)
claim(about, user, ttl, unpack(changed(about, true)))
touch(ttl, log, pos, idx)
record(ops, lane, number, '1', window)
return { 1 }
