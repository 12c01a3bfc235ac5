--!include time owner ops head
-- Removes a value. Its head stays for `window` milliseconds, so that a late repeat of a put is recognised.
--
-- KEYS  fence ops about record log idx ltm br
-- ARGV  user, window (ms), lane, number, expected version (-1 asks nothing)
-- Reply {1, version} done, {0, 0} not there, {0, version} the version is another
local fence, ops, about, rec = unpack(KEYS)
local user, window, lane, number, expected = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
make_room(ops)
local done = replay(ops, lane, number)
if done then
  -- Below zero: it was refused.
  local seen = tonumber(done) or 0
  return { seen > 0 and 1 or 0, math.abs(seen) }
end

local head = head_of(rec)
if not head then
  if expected >= 0 then return DAMAGED end
  redis.call('DEL', rec)
  record(ops, lane, number, '1', window)
  release(about)
  return { 1, 1 }
end
local version = head ~= '' and struct.unpack('>I8', head, 4) or 0
if version > 0 and expected >= 0 and expected ~= version then
  record(ops, lane, number, string.format('%d', -version), window)
  return { 0, version }
end
if version > 0 then
  redis.call('SET', rec, string.sub(head, 1, 3) .. string.rep('\0', 16) .. string.sub(head, 20), 'PX', window)
  release(about)
end
record(ops, lane, number, string.format('%d', version), window)
return { version > 0 and 1 or 0, version }
