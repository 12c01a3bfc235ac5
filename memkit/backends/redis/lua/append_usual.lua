-- The usual append, in front of all that only others need: to create the functions of the general one takes a server as
-- long as the whole of this. What is not usual falls through. See log_append.lua.
--
-- Usual: ids that memkit named for this very call, each above the one before, none known; no options but a bound, no pins,
-- no turn; a log that is there, of the same user, in which nobody has the turn. And if something has to go: some single
-- records at the head, without any mark.
local most = tonumber(ARGV[8])
if ARGV[6] == '' and (most or ARGV[8] == '') and not string.find(ARGV[7], '[^@-C]') then
  local fence, log, pos, idx, gone, _, about = unpack(KEYS)
  local user, count = ARGV[2], #ARGV[7]
  local seen = redis.call('HMGET', about, 'u', 'l', 'r', 'c', 'x')
  local last = redis.call('LINDEX', pos, -1)
  local usual = last and seen[3] and seen[4] and (user == '' or user == seen[1])
    and (not seen[2] or string.sub(seen[2], -2) == ':0')
  -- Three questions in one: mostly none of them is there.
  local others = usual and redis.call('EXISTS', fence, idx, gone) > 0
  if others then usual = redis.call('EXISTS', fence) == 0 end
  if usual then
    local time = redis.call('TIME')
    local now, reach = time[1] * 1000 + math.floor(time[2] / 1000), ARGV[3] / 4
    local a1, a2, a3, a4 = struct.unpack('>I4I4I4I4', last)
    for n = 1, count do
      local id = ARGV[7 + 2 * n]
      local version = #id == 16 and string.byte(id, 7) or 0
      if version < 112 or version > 127 then usual = false break end
      local b1, b2, b3, b4 = struct.unpack('>I4I4I4I4', id)
      local rises = a1 < b1 or (a1 == b1 and (a2 < b2 or (a2 == b2 and (a3 < b3 or (a3 == b3 and a4 < b4)))))
      local off = b1 * 65536 + math.floor(b2 / 65536) - now
      if not rises or off > reach or off < -reach then usual = false break end
      if others and (redis.call('HEXISTS', idx, id) == 1 or redis.call('ZSCORE', gone, id)) then usual = false break end
      a1, a2, a3, a4 = b1, b2, b3, b4
    end
    local over = usual and most and redis.call('LLEN', pos) + count - most or 0
    local head = {}
    if over > 0 then
      usual = over <= 8 and redis.call('EXISTS', idx) == 0
      head = usual and redis.call('LRANGE', pos, 0, over) or {}
      for n = 1, over + 1 do
        -- A mark would make it longer.
        if not head[n] or #head[n] ~= 16 then usual = false break end
      end
      for _, field in ipairs(usual and redis.call('HKEYS', about) or {}) do
        if #field > 1 then usual = false break end
      end
    end
    if usual then
      local records, keys
      for n = 1, count do
        local mark = string.byte(ARGV[7], n) - 64
        local id = ARGV[7 + 2 * n]
        records = redis.call('RPUSH', log, ARGV[8 + 2 * n])
        keys = redis.call('RPUSH', pos, mark == 0 and id or id .. string.char(mark))
      end
      if records ~= keys then
        for _ = 1, count do
          redis.call('RPOP', log)
          redis.call('RPOP', pos)
        end
        return redis.error_reply('MKHALF one key of a log was evicted and the other was not')
      end
      local revision = math.max(time[1] * 1000000 + time[2], tonumber(seen[3]) + 1)
      revision = string.format('%.0f', revision)
      if over > 0 then
        redis.call('LTRIM', log, over, -1)
        redis.call('LTRIM', pos, over, -1)
        local lately
        for n = 1, over do
          if struct.unpack('>I6', head[n]) >= now - ARGV[3] then lately = redis.call('ZADD', gone, 0, head[n]) end
        end
        if lately then redis.call('PEXPIRE', gone, ARGV[3]) end
        redis.call('HSET', about, 'r', revision, 'e', revision)
      else
        redis.call('HSET', about, 'r', revision)
      end
      local asked = ARGV[1]
      if string.sub(asked, 1, 1) == '~' then asked = seen[5] or string.sub(asked, 2) end
      local ttl = tonumber(asked)
      if ttl == 0 then
        for n = 2, 7 do
          if n < 5 or n == 7 then redis.call('PERSIST', KEYS[n]) end
        end
      else
        redis.call('PEXPIRE', log, ttl)
        redis.call('PEXPIRE', pos, ttl)
        if others then redis.call('PEXPIRE', idx, ttl) end
        local left = redis.call('PTTL', about)
        if left ~= -1 and left < ttl then redis.call('PEXPIRE', about, ttl) end
      end
      return count
    end
  end
end
