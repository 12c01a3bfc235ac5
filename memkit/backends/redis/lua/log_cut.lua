--!include time owner ops turn order rewrite branch
-- Cuts off all records after one, and keeps them in a branch.
--
-- KEYS  fence pos gone ops about wm log idx ltm br
-- ARGV  user, window, lane, number, turn, after ('' cuts off all), branch, grace (ms)
-- Reply {outcome, how many were cut off, revision, id}
local fence, pos, gone, ops, about, _, log, idx, _, br = unpack(KEYS)
local user, window, lane, number, turn, after, id, grace = unpack(ARGV)
window = tonumber(window)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done then return repeated(about, done) end

local first, key = 0, ''
if after ~= '' then
  local place = place_of(pos, idx, after)
  if not place then return answer(about, ops, lane, number, window, MISSING) end
  local inside = cut_group(pos, place)
  if inside then return answer(about, ops, lane, number, window, INSIDE, 0, inside) end
  first, key = place + 1, key_of(redis.call('LINDEX', pos, place))
end
local count = cut(log, pos, idx, gone, about, br, first, after, key, id, tonumber(grace), now_ms() - window)
if count > 0 then
  settle_log(log, pos, idx, gone, window)
  redis.call('HSET', about, unpack(changed(about, true)))
  if live(log, idx) == 0 then touch(window, log, pos, idx) end
  release(about)
end
return answer(about, ops, lane, number, window, DONE, count)
