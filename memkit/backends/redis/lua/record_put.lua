--!include owner
-- Sets a value.
--
-- KEYS  record about
-- ARGV  ttl, user, lane (8 bytes), number, seconds now, window (s), expected version (-1 asks nothing), created, bytes
-- Reply {1, version, created} done, {0, version, created} the version is another
--
-- `created` is 8 bytes that the script only keeps: a Lua number could not hold every microsecond.
--
-- The value is a msgpack bin with a head, then the bytes of the record. The head: version and created, 8 bytes each, then
-- for each lane that wrote lately, the newest first: lane (8 bytes), number (4), version that it made (8), seconds (4).
-- By them a repeat is recognised, however many others wrote in between. A removed value is its head alone.
local ENTRY, KEEP, MOST = 24, 4, 32
local rec, about = KEYS[1], KEYS[2]
local ttl, user, lane, number = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local now, window, expected, created, wire = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
if not owned(about, user) then return NOT_OWNER end

local version, others = 0, ''
local head = redis.call('GETRANGE', rec, 0, 18 + ENTRY * MOST)
if #head >= 19 then
  version = struct.unpack('>I8', head, 4)
  if version > 0 then created = string.sub(head, 12, 19) end
  local kept = 0
  for at = 20, string.byte(head, 2) * 256 + string.byte(head, 3) + 3, ENTRY do
    local entry = string.sub(head, at, at + ENTRY - 1)
    if string.sub(entry, 1, 8) == lane then
      local seen, made = struct.unpack('>I4I8', entry, 9)
      if seen >= number then return { 1, made, created } end
    elseif kept < KEEP or (kept < MOST - 1 and struct.unpack('>I4', entry, 21) > now - window) then
      others = others .. entry
      kept = kept + 1
    end
  end
end
if expected >= 0 and expected ~= version then return { 0, version, created } end

claim(about, user, ttl)
version = version + 1
local mine = lane .. struct.pack('>I4I8I4', number, version, now)
head = struct.pack('>I8', version) .. created .. mine .. others
local value = '\197' .. struct.pack('>I2', #head) .. head .. wire
if ttl == 0 then redis.call('SET', rec, value) else redis.call('SET', rec, value, 'PX', ttl) end
return { 1, version, created }
