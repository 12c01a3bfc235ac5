-- Where the records of a log stand. Included in front of other scripts.
--
-- log   list: bytes of the records; DEAD where one was removed.
-- pos   list, index-aligned: order keys, rising strictly.
-- idx   hash: id -> order key, for ids that are not their own order key; its field '' counts the dead places.
-- gone  sorted set: ids of records that were removed lately.
--
-- The id of a record that memkit named is a UUIDv7 of 16 bytes. Where it is above the last order key it becomes the order
-- key itself: then no entry in idx is needed, and a binary search finds it. An id that is below (another writer was
-- faster, or it is the repeat of an append), or that a caller chose, gets an order key of 20 bytes, the 16 of the last
-- one and a number, and an entry in idx; in pos its id follows the key. No id is as long as such a key, so none can be
-- taken for one.

local DEAD = '\192'
local DAY = 86400000

local function key_of(element)
  return #element > 16 and string.sub(element, 1, 20) or element
end

local function id_of(element)
  return #element > 16 and string.sub(element, 21) or element
end

-- Bytes are compared as numbers: `<` on strings follows the locale of the server.
local function below(a, b)
  local a1, a2, a3, a4 = struct.unpack('>I4I4I4I4', a)
  local b1, b2, b3, b4 = struct.unpack('>I4I4I4I4', b)
  if a1 ~= b1 then return a1 < b1 end
  if a2 ~= b2 then return a2 < b2 end
  if a3 ~= b3 then return a3 < b3 end
  if a4 ~= b4 then return a4 < b4 end
  local a5 = #a > 16 and struct.unpack('>I4', a, 17) or 0
  local b5 = #b > 16 and struct.unpack('>I4', b, 17) or 0
  return a5 < b5
end

-- An order key right above that of an element, or the first of all.
local function after(element)
  if not element then return string.rep('\0', 19) .. '\1' end
  local number = #element > 16 and struct.unpack('>I4', element, 17) or 0
  return string.sub(element, 1, 16) .. struct.pack('>I4', number + 1)
end

-- Place of a record from 0, or nil. The place may be dead.
local function place_of(pos, idx, id)
  local key = redis.call('HGET', idx, id)
  if not key then
    if #id ~= 16 then return nil end
    key = id
  end
  local low, high = 0, redis.call('LLEN', pos) - 1
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local found = key_of(redis.call('LINDEX', pos, middle))
    if found == key then return middle end
    if below(found, key) then low = middle + 1 else high = middle - 1 end
  end
  return nil
end

-- Bytes of a record and its place, or false.
local function record_at(log, pos, idx, id)
  local place = place_of(pos, idx, id)
  local wire = place and redis.call('LINDEX', log, place)
  if not wire or wire == DEAD then return false end
  return wire, place
end

local function live(log, idx)
  return redis.call('LLEN', log) - (tonumber(redis.call('HGET', idx, '')) or 0)
end

local function touch(ttl, ...)
  for _, key in ipairs({ ... }) do
    if ttl == 0 then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ttl) end
  end
end

-- Keeps the id of a removed record for as long as a repeat of its append may come.
local function remember(gone, id, since)
  if #id == 16 and struct.unpack('>I6', id) >= since then redis.call('ZADD', gone, 0, id) end
end
