--!include time owner ops turn order rewrite
-- Puts records in the place of a piece of a log. Those that stand in the piece already keep their order keys where they fit.
--
-- KEYS  fence log pos idx gone ops about wm log idx ltm br
-- ARGV  user, window, lane, number, turn, after ('' none), through ('' to the end), revision, edits ('' asks nothing),
--       flags (as in log_append.lua), then id and bytes of each record
-- Reply {outcome, how many were taken out, revision, id}
local fence, log, pos, idx, gone, ops, about = unpack(KEYS)
local user, window, lane, number, turn, after, through, revision, edits, flags = unpack(ARGV, 1, 10)
window = tonumber(window)
local done, problem = enter(fence, about, ops, user, window, lane, number, turn)
if problem then return problem end
if done then return repeated(about, done) end
local function finish(outcome, count, last)
  return answer(about, ops, lane, number, window, outcome, count, last)
end

local now_at, edited_at = unpack(redis.call('HMGET', about, 'r', 'e'))
if revision ~= '' and revision ~= (now_at or '0') then return finish(CONFLICT) end
if edits ~= '' and edits ~= (edited_at or '0') then return finish(CONFLICT) end
local first, last = 0, redis.call('LLEN', pos) - 1
if after ~= '' then
  local place = place_of(pos, idx, after)
  if not place then return finish(MISSING) end
  first = place + 1
end
if through ~= '' then
  last = place_of(pos, idx, through)
  if not last or last < first - 1 then return finish(MISSING) end
  local inside = cut_group(pos, last)
  if inside then return finish(INSIDE, 0, inside) end
end

-- Where nothing is, nothing says how long it shall live.
if #flags > 0 and live(log, idx) == 0 then return finish(MISSING) end

local none = last < first
local elements = none and {} or redis.call('LRANGE', pos, first, last)
local wires = none and {} or redis.call('LRANGE', log, first, last)
local stood = {}
for n, element in ipairs(elements) do
  if not is_dead(element) then stood[id_of(element)] = n end
end
for n = 1, #flags do
  local id = ARGV[9 + 2 * n]
  if not stood[id] and place_of(pos, idx, id) then return finish(EXISTS, 0, id) end
end

local lives = redis.call('PTTL', log)
local top = redis.call('LINDEX', pos, -1)
local behind, behind_wires = redis.call('LRANGE', pos, last + 1, -1), redis.call('LRANGE', log, last + 1, -1)
local before = first > 0 and redis.call('LINDEX', pos, first - 1)
local key = before and key_of(before)

-- New records stand where the piece ended, so that they are as old as its end; or where it began, if others of it stay.
local stays = {}
for n = 1, #flags do
  local id = ARGV[9 + 2 * n]
  if stood[id] then stays[id] = true end
end
local base = elements[next(stays) and 1 or #elements]
base = base and buried(base)

local new, new_wires = {}, {}
for n = 1, #flags do
  local id, wire, mark = ARGV[9 + 2 * n], ARGV[10 + 2 * n], string.byte(flags, n) % 32
  local old = stood[id] and elements[stood[id]]
  local element
  if old then
    element = settled(idx, element_of(key_of(old), id, mark), key)
  else
    local fits = base and (not key or below(key, base)) and base
    element = element_of(fits or (key and next_key(key)) or key_now(), id, mark)
    redis.call('HSET', idx, id, key_of(element))
  end
  redis.call('HDEL', about, 'p' .. id)
  if has(mark, PINNED) then redis.call('HSET', about, 'p' .. id, 1) end
  new[n], new_wires[n], key = element, wire, key_of(element)
end

local since, removed, dead = now_ms() - window, 0, 0
for n, element in ipairs(elements) do
  if is_dead(element) then
    dead = dead + 1
  elseif not stays[id_of(element)] then
    removed = removed + 1
    forget(idx, gone, about, element, since)
  end
end
-- What stands behind moves up in the order only as far as it must.
for n, element in ipairs(behind) do
  local moved = settled(idx, element, key)
  if moved == element then break end
  behind[n], key = moved, key_of(moved)
end

keep_before(log, pos, first)
push(pos, new)
push(log, new_wires)
push(pos, behind)
push(log, behind_wires)
if dead > 0 then redis.call('HINCRBY', idx, '', -dead) end
if top then keep_top(log, pos, idx, top) end
if lives > 0 then redis.call('PEXPIRE', log, lives) end
settle_log(log, pos, idx, gone, window)
if removed > 0 or #flags > 0 then redis.call('HSET', about, unpack(changed(about, true, not top))) end
if live(log, idx) == 0 then
  touch(window, log, pos, idx)
  release(about)
end
return finish(DONE, removed)
