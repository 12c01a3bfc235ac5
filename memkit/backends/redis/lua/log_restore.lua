--!include time owner ops turn order rewrite branch
-- Puts a branch back where it was cut off, and keeps what stands there now in another one.
--
-- KEYS  fence pos gone ops about wm log idx ltm br
-- ARGV  ttl (see ttl_of), user, window, lane, number, turn, branch, other branch, grace (ms)
-- Reply {outcome, how many were cut off, revision, '' or the id after which they were}
local fence, pos, gone, ops, about, _, log, idx, _, br = unpack(KEYS)
local asked, user, window, lane, number, turn, id, other, grace = unpack(ARGV)
window = tonumber(window)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done then return repeated(about, done) end
local found = branch(br, id)
if not found then return answer(about, ops, lane, number, window, MISSING) end

local elements, wires = unpack(cmsgpack.unpack(redis.call('HGET', br, 'd' .. id)))
-- Behind the record after which it was cut; where that is gone, behind where it was, or what took its key.
local first = 0
if found.key ~= '' then
  local place = place_of(pos, idx, found.after)
  first = place and place + 1 or place_from(pos, found.key)
  local there = not place and redis.call('LINDEX', pos, first)
  if there and not below(found.key, key_of(there)) then first = first + 1 end
end
local begins = redis.call('LLEN', pos) == 0
local top = redis.call('LINDEX', pos, -1)
local since = now_ms() - window
local count = cut(log, pos, idx, gone, about, br, first, found.after, found.key, other, tonumber(grace), since)
redis.call('HDEL', br, 'h' .. id, 'd' .. id)
settle_branches(br)

-- The dead place with the last order key makes room, and comes back behind.
while redis.call('LLEN', pos) > first do
  redis.call('RPOP', pos)
  redis.call('RPOP', log)
  redis.call('HINCRBY', idx, '', -1)
end
local before = redis.call('LINDEX', pos, -1)
local key = before and key_of(before)
local back, back_wires = {}, {}
for n, element in ipairs(elements) do
  local record_id = id_of(element)
  -- Another record with this id may have come in front of the place meanwhile.
  if not place_of(pos, idx, record_id) then
    if #element > 20 then redis.call('HSET', idx, record_id, key_of(element)) end
    element = settled(idx, element, key)
    if has(mark_of(element), PINNED) then redis.call('HSET', about, 'p' .. record_id, 1) end
    back[#back + 1], back_wires[#back_wires + 1], key = element, wires[n], key_of(element)
  end
end
push(pos, back)
push(log, back_wires)
if top then keep_top(log, pos, idx, top) end

local ttl = ttl_of(about, asked)
-- First, or the log counts as one that lives for ever.
touch(ttl, log, pos, idx)
claim(about, user, ttl, unpack(changed(about, true, begins)))
settle_log(log, pos, idx, gone, window)
return answer(about, ops, lane, number, window, DONE, count, found.after)
