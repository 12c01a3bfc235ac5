-- The head of a value; see record_put.lua. Included in front of other scripts.

local ENTRY = 24
local DAMAGED = { err = 'MKDAMAGED a stored value has no head' }

-- The head with the three bytes in front of it; '' if there is no value; nil if there is something else.
local function head_of(rec)
  local head = redis.call('GETRANGE', rec, 0, 18 + ENTRY * 8)
  if head == '' then return '' end
  if #head < 19 or string.byte(head, 1) ~= 197 then return nil end
  local size = 3 + string.byte(head, 2) * 256 + string.byte(head, 3)
  if size > #head then head = redis.call('GETRANGE', rec, 0, size - 1) end
  if #head < size or (size - 19) % ENTRY ~= 0 then return nil end
  return string.sub(head, 1, size)
end
