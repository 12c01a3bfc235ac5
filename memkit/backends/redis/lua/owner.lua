-- Who owns a conversation. Included in front of other scripts.
--
-- `about` is a hash; its field `u` is the user. It lives at least as long as any data of the conversation.

-- Claims the conversation for `user` ('' asks nothing) and keeps `about` alive for `ttl` milliseconds (0: for ever).
-- False: it belongs to another user.
local function claim(about, user, ttl)
  local fresh = false
  if user ~= '' then
    local owner = redis.call('HGET', about, 'u')
    if owner and owner ~= user then return false end
    if not owner then
      redis.call('HSET', about, 'u', user)
      fresh = true
    end
  end
  local left = redis.call('PTTL', about)
  if left == -2 or (left == -1 and not fresh) then return true end
  if ttl == 0 then
    redis.call('PERSIST', about)
  elseif fresh or ttl > left then
    redis.call('PEXPIRE', about, ttl)
  end
  return true
end

-- False: the conversation belongs to somebody else than `user`.
local function owned(about, user)
  if user == '' then return true end
  local owner = redis.call('HGET', about, 'u')
  return not owner or owner == user
end

local NOT_OWNER = redis.error_reply('MKOWNER the conversation belongs to another user')
