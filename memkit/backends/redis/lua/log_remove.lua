--!include time owner ops turn order
-- Removes one record of a log. Its place stays, dead, so that those of the others hold; dead places at either end go.
--
-- KEYS  fence pos gone ops about wm log idx ltm br
-- ARGV  user, window, lane, number, turn, id, SHA-1 of the bytes that must be there (hex), or '' for any
-- Reply {1} done, {0} not there, {0, bytes} other bytes are there
local fence, pos, gone, ops, about, _, log, idx = unpack(KEYS)
local user, window, lane, number, turn, id, old = unpack(ARGV)
window = tonumber(window)
make_room(ops)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done == '1' then return { 1 } end
local wire, place = record_at(log, pos, idx, id)
if done or not wire or (old ~= '' and redis.sha1hex(wire) ~= old) then
  if not done then record(ops, lane, number, '0', window) end
  return wire and old ~= '' and { 0, wire } or { 0 }
end

local element = redis.call('LINDEX', pos, place)
redis.call('LSET', log, place, DEAD)
redis.call('LSET', pos, place, buried(element))
redis.call('HINCRBY', idx, '', 1)
forget(idx, gone, about, element, now_ms() - window)

local function is_dead_at(at)
  local found = redis.call('LINDEX', pos, at)
  return found and is_dead(found)
end
while redis.call('LLEN', log) > 1 and is_dead_at(0) do
  redis.call('LPOP', log)
  redis.call('LPOP', pos)
  redis.call('HINCRBY', idx, '', -1)
end
-- The last order key stays.
while is_dead_at(-1) and is_dead_at(-2) do
  redis.call('RPOP', log)
  local last = redis.call('RPOP', pos)
  redis.call('LSET', pos, -1, last)
  redis.call('HINCRBY', idx, '', -1)
end
settle_log(log, pos, idx, gone, window)
redis.call('HSET', about, unpack(changed(about, true)))
if live(log, idx) == 0 then
  touch(window, log, pos, idx)
  redis.call('HDEL', about, 'c')
  release(about)
end
record(ops, lane, number, '1', window)
return { 1 }
