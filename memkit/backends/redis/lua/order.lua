-- Where the records of a log stand. Included in front of other scripts.
--
-- log   list: bytes of the records; DEAD where one was removed.
-- pos   list, index-aligned: order keys of 16 bytes, rising strictly.
-- idx   hash: id -> order key, for ids that are not their own order key; its field '' counts the dead places.
--
-- The id of a record that memkit named is a UUIDv7. Where it is above the last order key it becomes the order key
-- itself: then no entry in idx is needed, and a binary search finds it. An id that is below (another writer was faster,
-- or it is the repeat of an append), or that a caller chose, gets the last order key plus one, and an entry in idx.

local DEAD = '\192'

-- Bytes are compared as numbers: `<` on strings follows the locale of the server.
local function below(a, b)
  local a1, a2, a3, a4 = struct.unpack('>I4I4I4I4', a)
  local b1, b2, b3, b4 = struct.unpack('>I4I4I4I4', b)
  if a1 ~= b1 then return a1 < b1 end
  if a2 ~= b2 then return a2 < b2 end
  if a3 ~= b3 then return a3 < b3 end
  return a4 < b4
end

local function after(key)
  local words = { struct.unpack('>I4I4I4I4', key) }
  for n = 4, 1, -1 do
    words[n] = words[n] + 1
    if words[n] < 4294967296 then break end
    words[n] = 0
  end
  return struct.pack('>I4I4I4I4', words[1], words[2], words[3], words[4])
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
    local found = redis.call('LINDEX', pos, middle)
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
