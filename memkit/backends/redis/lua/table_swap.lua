--!include time owner ops rows
-- Puts rows, all or none, each only over the bytes that its writer saw.
--
-- KEYS  fence ltm ltz ltx ops about [wm log idx ltm br]
-- ARGV  ttl (ms, of these rows), user, window, lane, number, then for each row: id, SHA-1 of the bytes that must be there
--       (hex) or '' for none, created (us), bytes
-- Reply {1} done, {0, bytes or nil, …} what is there for each row
local fence, ltm, ltz, ltx, ops, about = unpack(KEYS)
local ttl, user, window, lane, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done and done ~= '0' then return { 1 } end

local now = now_ms()
expire_rows(ltm, ltz, ltx, now)
local current, fits = { 0 }, not done
for n = 6, #ARGV, 4 do
  local wire = redis.call('HGET', ltm, ARGV[n])
  current[#current + 1] = wire
  if (wire and redis.sha1hex(wire) or '') ~= ARGV[n + 1] then fits = false end
end
if not fits then
  -- Noted, or it could land late, on rows that happen to be the old ones again.
  if not done then record(ops, lane, number, '0', window) end
  return current
end

for n = 6, #ARGV, 4 do
  redis.call('HSET', ltm, ARGV[n], ARGV[n + 3])
  redis.call('ZADD', ltz, ARGV[n + 2], ARGV[n])
  if ttl == 0 then redis.call('ZREM', ltx, ARGV[n]) else redis.call('ZADD', ltx, now + ttl, ARGV[n]) end
end
settle(ltm, ltz, ltx)
claim(about, user, ttl)
record(ops, lane, number, '1', window)
return { 1 }
