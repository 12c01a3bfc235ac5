--!include time owner ops rows branch
-- Erases everything that is stored of a conversation, and leaves a fence. The fence holds the result, for a repeat.
--
-- KEYS  fence ops about gone pos ltz ltx wm log idx ltm br
-- ARGV  user ('' asks nothing), window, lane, number, 1 to count only
-- Reply {theirs, messages, working, long-term, branched}
local fence, ops, about, gone, pos, ltz, ltx, wm, log, idx, ltm, br = unpack(KEYS)
local user, window, lane, number, dry = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1'
make_room(ops)
local token = lane .. number .. ':'
local noted = redis.call('GET', fence)
if noted and string.sub(noted, 1, #token) == token then return cmsgpack.unpack(string.sub(noted, #token + 1)) end

if user ~= '' and data_lives() and redis.call('HGET', about, 'u') ~= user then return { 1, 0, 0, 0, 0 } end
expire_rows(ltm, ltz, ltx, now_ms())
local branched = 0
for _, id in ipairs(branch_ids(br)) do
  branched = branched + cmsgpack.unpack(redis.call('HGET', br, 'h' .. id))[3]
end
local working = has_value(wm) and 1 or 0
local found = { 0, live(log, idx), working, redis.call('HLEN', ltm), branched }
if dry then return found end
redis.call('DEL', unpack(KEYS, 2))
redis.call('SET', fence, token .. cmsgpack.pack(found), 'PX', window)
return found
