--!include time owner ops order rows
-- Lets all data of a conversation live that long from now on.
--
-- KEYS  fence ops about pos ltz ltx wm log idx ltm br
-- ARGV  ttl (ms, 0 for ever), user, window, lane, number
-- Reply 1 done, 0 it has no data
local fence, ops, about, pos, ltz, ltx, wm, log, idx, ltm, br = unpack(KEYS)
local ttl, user, window, lane, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
local lives = data_lives()
if lives then
  local keys = { about }
  if stale then forget_about(about) end
  redis.call('HSET', about, 'x', digits(ttl))
  if user ~= '' then redis.call('HSET', about, 'u', user) end
  if has_value(wm) then keys[#keys + 1] = wm end
  if live(log, idx) > 0 then
    for _, key in ipairs({ log, pos, idx }) do keys[#keys + 1] = key end
  end
  touch(ttl, unpack(keys))
  expire_rows(ltm, ltz, ltx, now_ms())
  redis.call('DEL', ltx)
  if ttl > 0 then
    for _, id in ipairs(redis.call('ZRANGE', ltz, 0, -1)) do redis.call('ZADD', ltx, now_ms() + ttl, id) end
  end
  settle(ltm, ltz, ltx)
  local grace = redis.call('PTTL', br)
  if ttl > 0 and grace > ttl then redis.call('PEXPIRE', br, ttl) end
end
record(ops, lane, number, lives and '1' or '0', window)
return lives and 1 or 0
