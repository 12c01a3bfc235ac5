--!include time owner
-- Rows by id.
--
-- KEYS  ltm ltx about [wm log idx ltm br]
-- ARGV  user, ids
-- Reply bytes or nil for each id
local ltm, ltx, about = unpack(KEYS)
if not owned(about, ARGV[1]) then return NOT_OWNER end
local now, found = now_ms(), {}
for n = 2, #ARGV do
  local expires = redis.call('ZSCORE', ltx, ARGV[n])
  found[#found + 1] = not (expires and tonumber(expires) <= now) and redis.call('HGET', ltm, ARGV[n])
end
return found
