-- Drops what a log shall not keep. Needs order.lua. Included in front of other scripts.

-- Elements of pos, read in pieces as they are asked for.
local function reader(pos)
  local piece, from = {}, 0
  return function(place)
    if place < from or place >= from + #piece then
      piece, from = redis.call('LRANGE', pos, place, place + 31), place
    end
    return piece[place - from + 1]
  end
end

-- How many records do not count: those of the system that lead the log, and pinned ones behind them.
local function exempt(about, at)
  local lead, pinned, place = 0, 0, 0
  local element = at(place)
  while element and (is_dead(element) or has(mark_of(element), SYSTEM)) do
    if not is_dead(element) then
      lead = lead + 1
      if has(mark_of(element), PINNED) then pinned = pinned - 1 end
    end
    place = place + 1
    element = at(place)
  end
  return lead + pinned + #pinned_in(about)
end

-- The group that begins at a place: where it ends, its live records, whether one is pinned, the first and the last of them.
local function group_at(at, place)
  local lives, pinned, first, last = 0, false, nil, nil
  local element = at(place)
  repeat
    if not is_dead(element) then
      lives = lives + 1
      pinned = pinned or has(mark_of(element), PINNED)
      first, last = first or element, element
    end
    place = place + 1
    element = at(place)
  until not element or not joins(element)
  return place, lives, pinned, first, last
end

-- Drops whole groups from the head while there are more than `most` records (0: no bound), and those appended before
-- `cutoff` (ms, 0: no bound). Returns how many records it dropped.
local function trim(log, pos, idx, gone, about, most, cutoff, since)
  local at = reader(pos)
  local over = most > 0 and live(log, idx) - most or 0
  if over > 0 then over = over - exempt(about, at) end
  if over <= 0 and cutoff == 0 then return 0 end

  local size = redis.call('LLEN', pos)
  while size > 0 and is_dead(redis.call('LINDEX', pos, size - 1)) do size = size - 1 end
  local place, leading, dropped, dead = 0, true, 0, 0
  local kept, lost = {}, {}
  while place < size do
    local stop, lives, pinned, first, last = group_at(at, place)
    leading = leading and (lives == 0 or has(mark_of(first), SYSTEM))
    local stays = leading or pinned
    leading = leading and lives < 2
    if not stays and lives > 0 then
      local old = cutoff > 0 and ms_of(last) < cutoff
      if stop >= size or (over <= 0 and not old) then break end
      over = over - lives
      dropped = dropped + lives
    end
    for n = place, stop - 1 do
      local element = at(n)
      if is_dead(element) then
        dead = dead + 1
      elseif stays then
        kept[#kept + 1] = { element, n }
      else
        lost[#lost + 1] = element
      end
    end
    place = stop
  end
  if dropped == 0 then return 0 end

  for _, item in ipairs(kept) do item[2] = redis.call('LINDEX', log, item[2]) end
  for _, element in ipairs(lost) do forget(idx, gone, about, element, since) end
  redis.call('LTRIM', log, place, -1)
  redis.call('LTRIM', pos, place, -1)
  for n = #kept, 1, -1 do
    redis.call('LPUSH', pos, kept[n][1])
    redis.call('LPUSH', log, kept[n][2])
  end
  if dead > 0 then redis.call('HINCRBY', idx, '', -dead) end
  return dropped
end
