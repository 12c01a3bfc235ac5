-- Which operations were applied or refused. Needs time.lua. Included in front of other scripts.
--
-- A writer sends each operation under a lane, 8 random bytes that no other running operation uses, and a number that
-- rises within the lane. `ops` is a hash from lane to 'number:milliseconds:result' of its last operation. It makes a
-- repeat return what the first attempt returned, however many others wrote in between, and a late first attempt do
-- nothing. Lanes that were silent for `window` milliseconds, by the server's clock, are forgotten.

-- The result of this operation if it is known already; '' if a later one of the lane is; nil if neither.
local function replay(ops, lane, number)
  local seen = redis.call('HGET', ops, lane)
  if not seen then return nil end
  local last, result = string.match(seen, '^(%d+):%d+:(.*)$')
  if tonumber(last) < tonumber(number) then return nil end
  return tonumber(last) == tonumber(number) and result or ''
end

local function forget_silent(ops, before)
  local all = redis.call('HGETALL', ops)
  for n = 1, #all, 2 do
    if tonumber(string.match(all[n + 1], '^%d+:(%d+):')) < before then redis.call('HDEL', ops, all[n]) end
  end
end

local function record(ops, lane, number, result, window)
  local now = now_ms()
  redis.call('HSET', ops, lane, number .. ':' .. digits(now) .. ':' .. result)
  if redis.call('HLEN', ops) > 32 then forget_silent(ops, now - window) end
  if redis.call('PTTL', ops) < window then redis.call('PEXPIRE', ops, window) end
end

-- A server that is out of memory refuses what takes memory, but not to a script that has written already: what removes
-- data begins with this, so that it can make room.
local function make_room(ops)
  redis.call('HDEL', ops, '')
end
