--!include owner ops order release
-- Removes a value. Its head stays for `window` milliseconds, so that a late repeat of a put is recognised.
--
-- KEYS  record ops about log idx ltm
-- ARGV  user, window (ms), lane, number, expected version (-1 asks nothing)
-- Reply {1, version} done, {0, 0} not there, {0, version} the version is another
local rec, ops, about, log, idx, ltm = unpack(KEYS)
local user, window, lane, number, expected = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return { done == '' and 0 or (done == '0' and 0 or 1), tonumber(done) or 0 } end

local head = redis.call('GETRANGE', rec, 0, 18 + 24 * 32)
local version = #head >= 19 and struct.unpack('>I8', head, 4) or 0
if version > 0 and expected >= 0 and expected ~= version then return { 0, version } end
record(ops, lane, number, string.format('%d', version), window)
if version == 0 then return { 0, 0 } end
local size = string.byte(head, 2) * 256 + string.byte(head, 3)
redis.call('SET', rec, string.sub(head, 1, 3) .. string.rep('\0', 16) .. string.sub(head, 20, 3 + size), 'PX', window)
release(about, rec, log, idx, ltm)
return { 1, version }
