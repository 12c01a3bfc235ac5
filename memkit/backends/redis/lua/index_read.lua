-- Reads a page of an index.
--
-- KEYS  cv
-- ARGV  how many, 1 for the newest first, touch (us) of the row to begin behind ('' none)
-- Reply names and touches of the rows, one more than asked for if there are more
local cv = KEYS[1]
local count, newest, touched = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3]
if touched == '' then return redis.call(newest and 'ZREVRANGE' or 'ZRANGE', cv, 0, count, 'WITHSCORES') end
-- No two rows have the same touch, so it tells where a row was that has moved or gone.
if newest then
  return redis.call('ZREVRANGEBYSCORE', cv, '(' .. touched, '-inf', 'WITHSCORES', 'LIMIT', 0, count + 1)
end
return redis.call('ZRANGEBYSCORE', cv, '(' .. touched, '+inf', 'WITHSCORES', 'LIMIT', 0, count + 1)
