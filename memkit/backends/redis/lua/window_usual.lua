-- The usual window, in front of all that only others need; see append_usual.lua and log_window.lua.
--
-- Usual: nothing is pinned, it begins with a group, and no removed record is among those that lead.
local size = redis.call('LLEN', KEYS[2])
local start = math.max(size - ARGV[2], 0)
if size > 0 and ARGV[2] ~= '0' and (ARGV[1] == '' or redis.call('HGET', KEYS[4], 'u') == ARGV[1]) then
  local first = redis.call('LINDEX', KEYS[2], start)
  local usual = start == 0 or (#first ~= 20 and (string.byte(first, #first < 20 and 17 or 21) or 0) % 2 == 0)
  for _, field in ipairs(usual and start > 0 and redis.call('HKEYS', KEYS[4]) or {}) do
    if #field > 1 then usual = false break end
  end
  local lead, place = {}, 0
  while usual and place < start do
    local element = redis.call('LINDEX', KEYS[2], place)
    if #element == 20 then usual = false break end
    if math.floor((string.byte(element, #element < 20 and 17 or 21) or 0) / 2) % 2 == 0 then break end
    lead[#lead + 1] = redis.call('LINDEX', KEYS[1], place)
    place = place + 1
  end
  if usual then
    local key = string.sub(first, 1, #first < 20 and 16 or 20)
    return { key, start - place, lead, {}, redis.call('LRANGE', KEYS[1], start, -1) }
  end
end
