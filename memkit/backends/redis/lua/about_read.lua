--!include time owner
-- What is known of a conversation.
--
-- KEYS  about wm log idx ltm br
-- ARGV  user
-- Reply {u, t, m, c, r, e, x, records, ms that it lives, its log, its working memory}, -1 for ever, -2 where there is none; nil
--       if it has no data
local about, wm, log, idx = unpack(KEYS)
if not owned(about, ARGV[1]) then return NOT_OWNER end
local lives = data_lives()
if not lives then return false end
local out = redis.call('HMGET', about, 'u', 't', 'm', 'c', 'r', 'e', 'x')
local count = live(log, idx)
out[8], out[9] = count, lives
out[10] = count > 0 and redis.call('PTTL', log) or -2
out[11] = has_value(wm) and redis.call('PTTL', wm) or -2
return out
