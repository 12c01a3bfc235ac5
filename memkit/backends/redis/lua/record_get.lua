--!include time owner
-- Reads a value on behalf of a user.
--
-- KEYS  record about wm log idx ltm br
-- ARGV  user
-- Reply the value with its head, or nil
if not owned(KEYS[2], ARGV[1]) then return NOT_OWNER end
return redis.call('GET', KEYS[1])
