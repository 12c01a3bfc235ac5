--!include time owner rows
-- Rows, newest first.
--
-- KEYS  ltm ltz ltx about [wm log idx ltm br]
-- ARGV  user, how many to leave out, how many (-1: all)
-- Reply bytes of each row
local ltm, ltz, ltx, about = unpack(KEYS)
if not owned(about, ARGV[1]) then return NOT_OWNER end
expire_rows(ltm, ltz, ltx, now_ms())
local skip, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local ids = redis.call('ZREVRANGE', ltz, skip, count < 0 and -1 or skip + count - 1)
local out = {}
for first = 1, #ids, 1000 do
  local wires = redis.call('HMGET', ltm, unpack(ids, first, math.min(first + 999, #ids)))
  for n = 1, #wires do out[#out + 1] = wires[n] end
end
return out
