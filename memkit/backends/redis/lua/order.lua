-- Where the records of a log stand. Needs time.lua and owner.lua. Included in front of other scripts.
--
-- log   list: bytes of the records; DEAD where one was removed.
-- pos   list, index-aligned: order keys, rising strictly, with marks and ids.
-- idx   hash: id -> order key, for ids that are not their own order key; its field '' counts the dead places.
-- gone  sorted set: ids of records that were removed lately.
--
-- The id of a record that memkit named is a UUIDv7 of 16 bytes. Where it is above the last order key it becomes the order
-- key itself: then no entry in idx is needed, and a binary search finds it. An id that is below (another writer was
-- faster, or it is the repeat of an append), or that a caller chose, gets an order key of 20 bytes and an entry in idx.
-- Such a key is the time of the server and a number, or the last key and a higher number. So every order key begins with
-- the milliseconds at which its record was appended.
--
-- An element of pos is the 16 bytes of an id that is its own key, followed by its mark unless that is 0; or 20 bytes of a
-- key, followed by the mark and the id; or 20 bytes alone where a record was removed. Marks are bits: FOLLOWS, SYSTEM, PINNED.

local DEAD = '\192'
local DAY = 86400000
local FOLLOWS, SYSTEM, PINNED = 1, 2, 4

local function key_of(element)
  return string.sub(element, 1, #element < 20 and 16 or 20)
end

local function id_of(element)
  return #element < 20 and string.sub(element, 1, 16) or string.sub(element, 22)
end

local function mark_of(element)
  return string.byte(element, #element < 20 and 17 or 21) or 0
end

local function has(mark, bit)
  return math.floor(mark / bit) % 2 == 1
end

local function element_of(key, id, mark)
  if key ~= id then return key .. string.char(mark) .. id end
  return mark == 0 and id or id .. string.char(mark)
end

local function is_dead(element)
  return #element == 20
end

-- Whether an element belongs to the group that began before it.
local function joins(element)
  return is_dead(element) or has(mark_of(element), FOLLOWS)
end

-- What stands in pos for a removed record: its key, with zeros if it was shorter, which compares the same.
local function buried(element)
  local key = key_of(element)
  return #key == 20 and key or key .. '\0\0\0\0'
end

local function ms_of(key)
  return (struct.unpack('>I6', key))
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

-- The first order key above another one.
local function next_key(key)
  local number = #key > 16 and struct.unpack('>I4', key, 17) or 0
  return string.sub(key, 1, 16) .. struct.pack('>I4', number + 1)
end

-- The order key of what is appended now, above that of the last one (nil: the log is empty).
local function key_now(last)
  local now = now_ms()
  if last and ms_of(last) >= now then return next_key(last) end
  return struct.pack('>I6', now) .. string.rep('\0', 13) .. '\1'
end

-- Whether an id of this form can be its own order key.
local function named(id)
  local version = #id == 16 and string.byte(id, 7)
  return version and version >= 112 and version < 128
end

-- The first place from 0 whose key is not below `key`, and whether it is that key.
local function place_from(pos, key)
  local low, high = 0, redis.call('LLEN', pos) - 1
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local found = key_of(redis.call('LINDEX', pos, middle))
    if found == key then return middle, true end
    if below(found, key) then low = middle + 1 else high = middle - 1 end
  end
  return low, false
end

-- Place of a record from 0, or nil.
local function place_of(pos, idx, id)
  local key = redis.call('HGET', idx, id)
  if not key then
    if not named(id) then return nil end
    key = id
  end
  local place, found = place_from(pos, key)
  return found and place or nil
end

-- Bytes of a record and its place, or false.
local function record_at(log, pos, idx, id)
  local place = place_of(pos, idx, id)
  if not place then return false end
  return redis.call('LINDEX', log, place), place
end

local function push(key, values)
  for first = 1, #values, 1000 do
    redis.call('RPUSH', key, unpack(values, first, math.min(first + 999, #values)))
  end
end

-- Drops all places from one on.
local function keep_before(log, pos, first)
  if first == 0 then
    redis.call('DEL', log, pos)
  else
    redis.call('LTRIM', log, 0, first - 1)
    redis.call('LTRIM', pos, 0, first - 1)
  end
end

-- The last order key never sinks, whatever becomes of its record: what is above it was never stored.
local function keep_top(log, pos, idx, top)
  local last = redis.call('LINDEX', pos, -1)
  if last and not below(key_of(last), key_of(top)) then return end
  redis.call('RPUSH', log, DEAD)
  redis.call('RPUSH', pos, buried(top))
  redis.call('HINCRBY', idx, '', 1)
end

local function touch(ttl, ...)
  for _, key in ipairs({ ... }) do
    if ttl == 0 then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ttl) end
  end
end

-- Keeps the id of a removed record for as long as a repeat of its append may come.
local function remember(gone, id, since)
  if #id == 16 and ms_of(id) >= since then redis.call('ZADD', gone, 0, id) end
end

-- What a record leaves in other keys, with the record itself.
local function forget(idx, gone, about, element, since)
  local id = id_of(element)
  remember(gone, id, since)
  if #element > 20 and redis.call('HGET', idx, id) == key_of(element) then redis.call('HDEL', idx, id) end
  if has(mark_of(element), PINNED) then redis.call('HDEL', about, 'p' .. id) end
end

-- Keeps `gone` for as long as it may be asked, and lets no key outlive the log.
local function settle_log(log, pos, idx, gone, window)
  if redis.call('EXISTS', gone) == 1 then redis.call('PEXPIRE', gone, window) end
  local left = redis.call('PTTL', log)
  if left > 0 then
    redis.call('PEXPIRE', pos, left)
    redis.call('PEXPIRE', idx, left)
  elseif left == -1 then
    redis.call('PERSIST', idx)
  end
end
