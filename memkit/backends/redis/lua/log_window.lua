--!first window_usual
--!include time owner order
-- Reads what a window over the last places is made of.
--
-- KEYS  log pos idx about [wm log idx ltm br]
-- ARGV  user, how many places
-- Reply {order key where the tail begins, places between lead and tail, {lead}, {kept}, {tail}}: bytes of records, dead
--       places of the tail included
local log, pos, idx, about = unpack(KEYS)
local user, count = ARGV[1], tonumber(ARGV[2])
if not owned(about, user) then return NOT_OWNER end

local function at(place)
  return redis.call('LINDEX', pos, place)
end

local size = redis.call('LLEN', pos)
if size == 0 then return { '', 0, {}, {}, {} } end
local start = math.max(size - count, 0)
while start > 0 and (start == size or joins(at(start))) do start = start - 1 end

local lead, place = {}, 0
while place < start do
  local element = at(place)
  if not is_dead(element) then
    if not has(mark_of(element), SYSTEM) then break end
    lead[#lead + 1] = redis.call('LINDEX', log, place)
  end
  place = place + 1
end

-- Groups in which a record is pinned.
local starts, seen = {}, {}
for _, id in ipairs(pinned_in(about)) do
  local from = place_of(pos, idx, id)
  while from and from > place and from < start and joins(at(from)) do from = from - 1 end
  if from and from >= place and from < start and not seen[from] then
    seen[from] = true
    starts[#starts + 1] = from
  end
end
table.sort(starts)
local kept = {}
for _, from in ipairs(starts) do
  local next_one = from
  repeat
    local wire = redis.call('LINDEX', log, next_one)
    if wire ~= DEAD then kept[#kept + 1] = wire end
    next_one = next_one + 1
  until next_one >= start or not joins(at(next_one))
end
return { key_of(at(start)), start - place, lead, kept, redis.call('LRANGE', log, start, -1) }
