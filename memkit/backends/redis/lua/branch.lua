-- Branches: what was cut off a log. Needs order.lua, rewrite.lua. Included in front of other scripts.
--
-- br  hash: 'h' and the id of a branch -> msgpack {id after which it was cut, order key there, how many records, created
--     (us), expires (ms)}, the first two '' if all was cut; 'd' and the id -> msgpack {elements of pos, bytes of records}

local function branch_ids(br)
  local ids = {}
  for _, field in ipairs(redis.call('HKEYS', br)) do
    if string.sub(field, 1, 1) == 'h' then ids[#ids + 1] = string.sub(field, 2) end
  end
  return ids
end

-- What is known of a branch; nil if its time is over.
local function branch(br, id)
  local header = redis.call('HGET', br, 'h' .. id)
  if not header then return nil end
  local after, key, count, created, expires = unpack(cmsgpack.unpack(header))
  if tonumber(expires) <= now_ms() then return nil end
  return { after = after, key = key, count = count, created = created, expires = expires }
end

-- Forgets the branches whose time is over, and lets the server free what is left when its time comes.
local function settle_branches(br)
  local last = 0
  for _, id in ipairs(branch_ids(br)) do
    local found = branch(br, id)
    if found then
      last = math.max(last, tonumber(found.expires))
    else
      redis.call('HDEL', br, 'h' .. id, 'd' .. id)
    end
  end
  if last > 0 then redis.call('PEXPIREAT', br, digits(last)) end
end

-- Cuts off what stands from place `first` on, and keeps it in a branch. Returns how many records that were.
local function cut(log, pos, idx, gone, about, br, first, after, key, id, grace, since)
  local elements, wires = redis.call('LRANGE', pos, first, -1), redis.call('LRANGE', log, first, -1)
  if #elements == 0 then return 0 end
  local kept, kept_wires = {}, {}
  for n, element in ipairs(elements) do
    if not is_dead(element) then
      kept[#kept + 1], kept_wires[#kept_wires + 1] = element, wires[n]
      forget(idx, gone, about, element, since)
    end
  end
  if #kept == 0 then return 0 end
  local lives, top = redis.call('PTTL', log), elements[#elements]
  keep_before(log, pos, first)
  if #elements > #kept then redis.call('HINCRBY', idx, '', #kept - #elements) end
  keep_top(log, pos, idx, top)
  if lives > 0 then redis.call('PEXPIRE', log, lives) end
  local header = { after, key, #kept, digits(now_us()), digits(now_ms() + grace) }
  redis.call('HSET', br, 'h' .. id, cmsgpack.pack(header), 'd' .. id, cmsgpack.pack({ kept, kept_wires }))
  settle_branches(br)
  return #kept
end
