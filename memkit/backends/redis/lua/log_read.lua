--!include owner
-- Reads a piece of a log on behalf of a user.
--
-- KEYS  log about wm log idx ltm
-- ARGV  user, first and last place as LRANGE takes them
-- Reply bytes of the records, dead places included
if not owned(KEYS[2], ARGV[1]) then return NOT_OWNER end
return redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[3])
