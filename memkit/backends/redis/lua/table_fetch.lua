--!include owner rows
-- Rows by id.
--
-- KEYS  ltm ltz ltx about
-- ARGV  user, ids
-- Reply bytes or nil for each id
local ltm, ltx = KEYS[1], KEYS[3]
if not owned(KEYS[4], ARGV[1]) then return NOT_OWNER end
local now, found = server_ms(), {}
for n = 2, #ARGV do
  local expires = redis.call('ZSCORE', ltx, ARGV[n])
  found[#found + 1] = not (expires and tonumber(expires) <= now) and redis.call('HGET', ltm, ARGV[n])
end
return found
