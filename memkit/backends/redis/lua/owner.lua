-- Who owns a conversation. Included in front of other scripts.
--
-- `about` is a hash; its field `u` is the user. Where a user is named, and in scripts that remove something, the last four
-- of KEYS are the conversation's wm, log, idx and ltm: an owner counts only as long as there is data.

local NOT_OWNER = redis.error_reply('MKOWNER the conversation belongs to another user')

-- Milliseconds that the data of the conversation will live: nil if there is none, -1 for ever.
local function data_lives()
  local wm, log, idx, ltm = unpack(KEYS, #KEYS - 3)
  local longest
  local function count(key)
    local left = redis.call('PTTL', key)
    if not longest or left == -1 or (longest ~= -1 and left > longest) then longest = left end
  end
  local head = redis.call('GETRANGE', wm, 3, 10)
  if #head == 8 and struct.unpack('>I8', head) > 0 then count(wm) end
  if redis.call('LLEN', log) > (tonumber(redis.call('HGET', idx, '')) or 0) then count(log) end
  if redis.call('EXISTS', ltm) == 1 then count(ltm) end
  return longest
end

-- False: the conversation belongs to somebody else than `user` ('' asks nothing).
local function owned(about, user)
  if user == '' then return true end
  local owner = redis.call('HGET', about, 'u')
  return not owner or owner == user or not data_lives()
end

-- Claims a conversation for `user` if `owned` allowed it, and keeps `about` alive for `ttl` milliseconds (0: for ever).
local function claim(about, user, ttl)
  if user ~= '' and redis.call('HGET', about, 'u') ~= user then
    redis.call('HSET', about, 'u', user)
    local longest = data_lives() or ttl
    if ttl == 0 or longest == -1 then
      redis.call('PERSIST', about)
    else
      redis.call('PEXPIRE', about, math.max(ttl, longest))
    end
    return
  end
  local left = redis.call('PTTL', about)
  if left < 0 then return end
  if ttl == 0 then
    redis.call('PERSIST', about)
  elseif ttl > left then
    redis.call('PEXPIRE', about, ttl)
  end
end

-- After something was removed: the owner goes with the last data.
local function release(about)
  if redis.call('EXISTS', about) == 0 then return end
  local longest = data_lives()
  if not longest then
    redis.call('DEL', about)
  elseif longest > 0 then
    redis.call('PEXPIRE', about, longest)
  end
end
