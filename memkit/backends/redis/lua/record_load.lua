--!include time owner ops head
-- Sets a value that is not there to what it was elsewhere.
--
-- KEYS  fence record about ops [wm log idx ltm br]
-- ARGV  ttl, user, window, lane, number, head (version and created, 16 bytes), bytes
-- Reply 1 done, 0 there is one
local fence, rec, about, ops = unpack(KEYS)
local ttl, user, window, lane, number, was, wire = unpack(ARGV)
ttl = tonumber(ttl)
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
local head = head_of(rec)
local loads = head == '' or (head and struct.unpack('>I8', head, 4) == 0)
if loads then
  local value = '\197' .. struct.pack('>I2', #was) .. was .. wire
  if ttl == 0 then redis.call('SET', rec, value) else redis.call('SET', rec, value, 'PX', ttl) end
  claim(about, user, ttl)
end
record(ops, lane, number, loads and '1' or '0', tonumber(window))
return loads and 1 or 0
