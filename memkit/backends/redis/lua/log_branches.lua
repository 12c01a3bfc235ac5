--!include time owner order rewrite branch
-- The branches of a log.
--
-- KEYS  about wm log idx ltm br
-- ARGV  user
-- Reply {id, id after which it was cut, how many records, created (us), expires (ms)} of each
local about, br = KEYS[1], KEYS[6]
if not owned(about, ARGV[1]) then return NOT_OWNER end
local out = {}
for _, id in ipairs(branch_ids(br)) do
  local found = branch(br, id)
  if found then out[#out + 1] = { id, found.after, found.count, found.created, found.expires } end
end
return out
