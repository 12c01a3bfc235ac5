--!first put_usual
--!include time owner ops head
-- Sets a value.
--
-- KEYS  fence record about ops [wm log idx ltm br]
-- ARGV  ttl, user, window (ms), lane (8 bytes), number, expected version (-1 asks nothing), created, bytes
-- Reply {1, version, created} done, {0, version, created} the version is another
--
-- `created` is 8 bytes that the script only keeps: a Lua number could not hold every microsecond.
--
-- The value is a msgpack bin with a head, then the bytes of the record. The head: version and created, 8 bytes each, then
-- for each lane that wrote lately, the newest first: lane (8 bytes), number (4), version that it made (8), seconds (4).
-- By them a repeat is recognised, as long as no more than MOST others wrote within the window. A removed value is its
-- head alone. A refused put is noted in `ops`: it must not land late, on a version that happens to be the expected one.
local KEEP, MOST = 4, 256
local fence, rec, about, ops = unpack(KEYS)
local ttl, user, window, lane, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local expected, created, wire = tonumber(ARGV[6]), ARGV[7], ARGV[8]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end

local head = head_of(rec)
if not head then
  -- A value that is damaged can be replaced, but nobody can say which version it had.
  if expected >= 0 then return DAMAGED end
  head = ''
end
local version, others = 0, {}
local now = tonumber(redis.call('TIME')[1])
if head ~= '' then
  version = struct.unpack('>I8', head, 4)
  if version > 0 then created = string.sub(head, 12, 19) end
  for at = 20, #head, ENTRY do
    local entry = string.sub(head, at, at + ENTRY - 1)
    if string.sub(entry, 1, 8) == lane then
      local seen, made = struct.unpack('>I4I8', entry, 9)
      if seen >= number then return { 1, made, created } end
    elseif #others < KEEP or (#others < MOST and struct.unpack('>I4', entry, 21) > now - window / 1000) then
      others[#others + 1] = entry
    end
  end
end
if expected >= 0 then
  local refused = replay(ops, lane, number)
  if refused then return { 0, tonumber(refused) or version, created } end
  if expected ~= version then
    record(ops, lane, number, string.format('%d', version), window)
    return { 0, version, created }
  end
end

version = version + 1
local mine = lane .. struct.pack('>I4I8I4', number, version, now)
head = struct.pack('>I8', version) .. created .. mine .. table.concat(others)
local value = '\197' .. struct.pack('>I2', #head) .. head .. wire
if ttl == 0 then redis.call('SET', rec, value) else redis.call('SET', rec, value, 'PX', ttl) end
claim(about, user, ttl)
return { 1, version, created }
