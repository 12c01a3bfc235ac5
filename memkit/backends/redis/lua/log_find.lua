--!include time owner order
-- Finds one record of a log.
--
-- KEYS  log pos idx about [wm log idx ltm br]
-- ARGV  user, id
-- Reply its bytes, or nil
if not owned(KEYS[4], ARGV[1]) then return NOT_OWNER end
local wire = record_at(KEYS[1], KEYS[2], KEYS[3], ARGV[2])
return wire
