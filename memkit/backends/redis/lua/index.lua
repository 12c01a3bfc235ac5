-- The indexes. Needs time.lua. Included in front of other scripts.
--
-- cv  sorted set: name -> when it was touched last (us), each later than all before
-- cx  sorted set: name -> when it may be forgotten (ms); a bound from above, +inf for never

-- Puts a name in front of all others of an index, and forgets some whose time is over.
local function put_first(cv, cx, name, ttl, window)
  local last = redis.call('ZREVRANGE', cv, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', cv, digits(math.max(now_us(), (tonumber(last) or 0) + 1)), name)
  local now = now_ms()
  -- Longer: writes within some seconds after a touch do not touch again, and what recognises late tries outlives the data.
  redis.call('ZADD', cx, 'GT', ttl == 0 and '+inf' or digits(now + ttl + 2 * window), name)
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', cx, '-inf', now, 'LIMIT', 0, 4)) do
    redis.call('ZREM', cv, dead)
    redis.call('ZREM', cx, dead)
  end
  local ends = redis.call('ZREVRANGE', cx, 0, 0, 'WITHSCORES')[2]
  for _, key in ipairs({ cv, cx }) do
    if ends == 'inf' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, digits(tonumber(ends))) end
  end
end
