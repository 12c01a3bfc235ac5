-- The rows of a table. Needs time.lua. Included in front of other scripts.
--
-- ltm  hash: id -> bytes
-- ltz  sorted set: id -> created (us)
-- ltx  sorted set: id -> server time (ms) at which the row expires; rows that never expire are not in it

local function drop(ltm, ltz, ltx, id)
  redis.call('ZREM', ltz, id)
  redis.call('ZREM', ltx, id)
  return redis.call('HDEL', ltm, id)
end

-- Forgets the rows that have expired.
local function expire_rows(ltm, ltz, ltx, now)
  repeat
    local due = redis.call('ZRANGEBYSCORE', ltx, '-inf', now, 'LIMIT', 0, 500)
    for _, id in ipairs(due) do drop(ltm, ltz, ltx, id) end
  until #due < 500
end

-- Lets the server free the table once its last row has expired, with nobody looking.
local function settle(ltm, ltz, ltx)
  local last = redis.call('ZRANGE', ltx, -1, -1, 'WITHSCORES')
  if last[2] and redis.call('ZCARD', ltx) == redis.call('HLEN', ltm) then
    for _, key in ipairs({ ltm, ltz, ltx }) do redis.call('PEXPIREAT', key, last[2]) end
  else
    for _, key in ipairs({ ltm, ltz, ltx }) do redis.call('PERSIST', key) end
  end
end
