--!include time index
-- Touches one name of an index.
--
-- KEYS  fence of the index, fence of the name in it, cv, cx
-- ARGV  name, milliseconds to live (0 for ever), window (ms)
-- Reply 1
local fence, own_fence, cv, cx = unpack(KEYS)
if redis.call('EXISTS', fence, own_fence) > 0 then return redis.error_reply('MKERASED the data was erased') end
put_first(cv, cx, ARGV[1], tonumber(ARGV[2]), ARGV[3])
return 1
