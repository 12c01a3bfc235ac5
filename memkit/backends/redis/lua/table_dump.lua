--!include time owner rows
-- Rows, newest first, with the time that they still live.
--
-- KEYS  ltm ltz ltx about [wm log idx ltm br]
-- ARGV  user, how many to leave out, how many
-- Reply bytes and milliseconds (0 for ever) of each row, in turn
local ltm, ltz, ltx, about = unpack(KEYS)
if not owned(about, ARGV[1]) then return NOT_OWNER end
local now = now_ms()
expire_rows(ltm, ltz, ltx, now)
local skip, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local out = {}
for _, id in ipairs(redis.call('ZREVRANGE', ltz, skip, skip + count - 1)) do
  local expires = redis.call('ZSCORE', ltx, id)
  out[#out + 1] = redis.call('HGET', ltm, id)
  out[#out + 1] = expires and math.max(tonumber(expires) - now, 1) or 0
end
return out
