-- Takes a name out of an index.
--
-- KEYS  fence of the index, fence of the name in it, cv, cx
-- ARGV  name, '' or microseconds: only if it was not touched after that, milliseconds to refuse touches of it
-- Reply 1 done, 0 it was not there, or touched
local _, own_fence, cv, cx = unpack(KEYS)
if ARGV[3] ~= '0' then redis.call('SET', own_fence, '1', 'PX', ARGV[3]) end
local touched = redis.call('ZSCORE', cv, ARGV[1])
if not touched or (ARGV[2] ~= '' and tonumber(touched) > tonumber(ARGV[2])) then return 0 end
redis.call('ZREM', cx, ARGV[1])
return redis.call('ZREM', cv, ARGV[1])
