-- The usual put, in front of all that only others need; see append_usual.lua and record_put.lua.
--
-- Usual: no version is expected, nobody else's value, and what was written lately by others fits into what is read first.
if ARGV[6] == '-1' and redis.call('EXISTS', KEYS[1]) == 0 then
  local rec, about, user, lane, number = KEYS[2], KEYS[3], ARGV[2], ARGV[4], tonumber(ARGV[5])
  local head = redis.call('GETRANGE', rec, 0, 210)
  local size = #head > 18 and string.byte(head, 1) == 197 and 3 + string.byte(head, 2) * 256 + string.byte(head, 3)
  if size and size <= #head and (size - 19) % 24 == 0 and (user == '' or redis.call('HGET', about, 'u') == user) then
    local version, now = struct.unpack('>I8', head, 4), tonumber(redis.call('TIME')[1])
    local created = version > 0 and string.sub(head, 12, 19) or ARGV[7]
    local others, since = '', now - ARGV[3] / 1000
    for at = 20, size, 24 do
      local seen, made, moment = struct.unpack('>I4I8I4', head, at + 8)
      if string.sub(head, at, at + 7) == lane then
        if seen >= number then return { 1, made, created } end
      elseif #others < 96 or moment > since then
        others = others .. string.sub(head, at, at + 23)
      end
    end
    version = version + 1
    head = struct.pack('>I8', version) .. created .. lane .. struct.pack('>I4I8I4', number, version, now) .. others
    local value, ttl = '\197' .. struct.pack('>I2', #head) .. head .. ARGV[8], tonumber(ARGV[1])
    local left = redis.call('PTTL', about)
    if ttl == 0 then
      redis.call('SET', rec, value)
      if left ~= -2 then redis.call('PERSIST', about) end
    else
      redis.call('SET', rec, value, 'PX', ttl)
      if left > -1 and left < ttl then redis.call('PEXPIRE', about, ttl) end
    end
    return { 1, version, created }
  end
end
