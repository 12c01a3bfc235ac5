--!include time owner
-- Reads the end of a log on behalf of a user.
--
-- KEYS  log about wm log idx ltm br
-- ARGV  user, first place as LRANGE takes it
-- Reply bytes of the records, dead places included
if not owned(KEYS[2], ARGV[1]) then return NOT_OWNER end
return redis.call('LRANGE', KEYS[1], ARGV[2], -1)
