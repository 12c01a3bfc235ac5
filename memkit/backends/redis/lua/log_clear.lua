--!include time owner ops turn order
-- Removes all records of a log. What is left for `window` milliseconds holds no data: one dead place with the last order
-- key, and the ids of recent appends, so that their late repeats are recognised.
--
-- KEYS  fence pos gone ops about wm log idx ltm br
-- ARGV  user, window, lane, number, turn
-- Reply how many records there were
local fence, pos, gone, ops, about, _, log, idx = unpack(KEYS)
local user, window, lane, number, turn = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
make_room(ops)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done then return tonumber(done) or 0 end

local count = live(log, idx)
local since = now_ms() - window
local top = redis.call('LINDEX', pos, -1)
local last, more = -1, true
while more do
  local elements = redis.call('LRANGE', pos, last - 255, last)
  more = #elements == 256
  for n = #elements, 1, -1 do
    local element = elements[n]
    remember(gone, id_of(element), since)
    -- Order keys rise, and tell their time: below an old one there are only older ones.
    if ms_of(element) < since then more = false end
  end
  last = last - 256
end
redis.call('DEL', log, pos, idx)
if top then
  redis.call('RPUSH', log, DEAD)
  redis.call('RPUSH', pos, buried(top))
  redis.call('HSET', idx, '', 1)
  touch(window, log, pos, idx)
end
if redis.call('EXISTS', gone) == 1 then redis.call('PEXPIRE', gone, window) end
unpin_all(about)
if count > 0 and redis.call('EXISTS', about) == 1 then
  redis.call('HSET', about, unpack(changed(about, true)))
  redis.call('HDEL', about, 'c')
end
release(about)
record(ops, lane, number, digits(count), window)
return count
