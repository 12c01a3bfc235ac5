--!include owner ops rows
-- Puts rows, all or none, each only over the bytes that its writer saw.
--
-- KEYS  ltm ltz ltx ops about
-- ARGV  ttl (ms, of these rows), user, window, lane, number, then for each row: id, SHA-1 of the bytes that must be there
--       (hex) or '' for none, created (us), bytes
-- Reply {1} done, {0, bytes or nil, …} what is there for each row
local ltm, ltz, ltx, ops, about = unpack(KEYS)
local ttl, user, window, lane, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if not owned(about, user) then return NOT_OWNER end
if replay(ops, lane, number) then return { 1 } end

local now = server_ms()
expire_rows(ltm, ltz, ltx, now)
local current, fits = { 0 }, true
for n = 6, #ARGV, 4 do
  local wire = redis.call('HGET', ltm, ARGV[n])
  current[#current + 1] = wire
  if (wire and redis.sha1hex(wire) or '') ~= ARGV[n + 1] then fits = false end
end
if not fits then return current end

claim(about, user, ttl)
for n = 6, #ARGV, 4 do
  redis.call('HSET', ltm, ARGV[n], ARGV[n + 3])
  redis.call('ZADD', ltz, ARGV[n + 2], ARGV[n])
  if ttl == 0 then redis.call('ZREM', ltx, ARGV[n]) else redis.call('ZADD', ltx, now + ttl, ARGV[n]) end
end
settle(ltm, ltz, ltx)
record(ops, lane, number, '1', window)
return { 1 }
