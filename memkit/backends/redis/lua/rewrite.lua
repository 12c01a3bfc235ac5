-- Putting records in the place of others. Needs order.lua, turn.lua. Included in front of other scripts.

local DONE, MISSING, CONFLICT, INSIDE, EXISTS = 'done', 'missing', 'conflict', 'inside', 'exists'

-- The id of the last record of the group in which the record behind `place` is; nil if a group ends there.
local function cut_group(pos, place)
  local last
  local element = redis.call('LINDEX', pos, place + 1)
  while element and joins(element) do
    if not is_dead(element) then last = id_of(element) end
    place = place + 1
    element = redis.call('LINDEX', pos, place + 1)
  end
  return last
end

-- Notes the result of an operation, and returns it.
local function answer(about, ops, lane, number, window, outcome, count, last)
  record(ops, lane, number, outcome .. ':' .. digits(count or 0) .. ':' .. (last or ''), window)
  return { outcome, count or 0, redis.call('HGET', about, 'r') or '0', last or '' }
end

-- The result that was noted.
local function repeated(about, done)
  local outcome, count, last = string.match(done, '^(%a+):(%d+):(.*)$')
  return { outcome or CONFLICT, tonumber(count or 0), redis.call('HGET', about, 'r') or '0', last or '' }
end

-- Where the element stands once the last one before it has the key `last`.
local function settled(idx, element, last)
  if not last or below(last, key_of(element)) then return element end
  local key = next_key(last)
  if is_dead(element) then return key end
  local id = id_of(element)
  redis.call('HSET', idx, id, key)
  return element_of(key, id, mark_of(element))
end
