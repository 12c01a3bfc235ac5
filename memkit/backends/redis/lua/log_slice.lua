--!include time owner order
-- Reads the places between two others.
--
-- KEYS  log pos idx about [wm log idx ltm br]
-- ARGV  user, after, before ('' none, 'i' and an id, 'k' and an order key), how many (-1: all), 1 for the last ones of them
-- Reply {first order key, last one, whether there are more, {bytes}}, dead places included; nil: an id is not there
local log, pos, idx, about = unpack(KEYS)
local user, after, before, count, newest = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
if not owned(about, user) then return NOT_OWNER end

-- The place of an anchor, or of what stands behind where it was; and whether it stands there.
local function find(anchor)
  local value = string.sub(anchor, 2)
  if string.byte(anchor) == 107 then return place_from(pos, value) end
  return place_of(pos, idx, value), true
end

local first, last = 0, redis.call('LLEN', pos) - 1
if after ~= '' then
  local place, stands = find(after)
  if not place then return false end
  first = stands and place + 1 or place
end
if before ~= '' then
  local place = find(before)
  if not place then return false end
  last = place - 1
end
local more = count >= 0 and last - first + 1 > count
if more and newest then first = last - count + 1 elseif more then last = first + count - 1 end
if last < first then return { '', '', more and 1 or 0, {} } end
local out = redis.call('LRANGE', log, first, last)
local ends = { redis.call('LINDEX', pos, first), redis.call('LINDEX', pos, last) }
return { key_of(ends[1]), key_of(ends[2]), more and 1 or 0, out }
