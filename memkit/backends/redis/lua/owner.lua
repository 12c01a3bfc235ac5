-- Who owns a conversation, and whether it was erased. Needs time.lua. Included in front of other scripts.
--
-- `about` is a hash:
--   u  the user            t  title               m  metadata, encoded
--   c  when the log was begun (us)                r  revision of the log (us of its last change)
--   e  revision of the last change that was no append
--   x  time to live (ms, 0 for ever) that was set for the whole conversation
--   l  the turn, 'number:until (ms)'              p<id>  that record is pinned
-- Where a user is named, and in scripts that remove something, the last five of KEYS are the conversation's wm, log, idx,
-- ltm and br: an owner counts only as long as there is data.
--
-- `fence` exists for a while after an erasure. It is the first of KEYS in every script that writes.

local NOT_OWNER = { err = 'MKOWNER the conversation belongs to another user' }
local ERASED = { err = 'MKERASED the data was erased' }

-- How many records a log has.
local function live(log, idx)
  return redis.call('LLEN', log) - (tonumber(redis.call('HGET', idx, '')) or 0)
end

-- Whether there is a working memory: of one that was removed the head stays for a while.
local function has_value(wm)
  local head = redis.call('GETRANGE', wm, 3, 10)
  return #head == 8 and struct.unpack('>I8', head) > 0
end

-- Milliseconds that the data of the conversation will live: nil if there is none, -1 for ever.
local function data_lives()
  local wm, log, idx, ltm, br = unpack(KEYS, #KEYS - 4)
  local longest
  local function count(key)
    local left = redis.call('PTTL', key)
    if not longest or left == -1 or (longest ~= -1 and left > longest) then longest = left end
  end
  if has_value(wm) then count(wm) end
  if live(log, idx) > 0 then count(log) end
  if redis.call('EXISTS', ltm) == 1 then count(ltm) end
  if redis.call('EXISTS', br) == 1 then count(br) end
  return longest
end

-- What `about` still says is of data that has gone.
local stale = false

-- False: the conversation belongs to somebody else than `user` ('' asks nothing).
local function owned(about, user)
  if user == '' then return true end
  local owner = redis.call('HGET', about, 'u')
  if owner == user then return true end
  stale = not data_lives()
  return not owner or stale
end

local function erased(fence)
  return redis.call('EXISTS', fence) == 1
end

-- Number of the last turn, and when it ends (ms, 0 if it was given back); nil if there was none.
local function turn_of(about)
  local number, ends = string.match(redis.call('HGET', about, 'l') or '', '^(%d+):(%d+)$')
  return number, tonumber(ends)
end

-- Ids of the pinned records: no other field has a name of more than one character.
local function pinned_in(about)
  local ids = {}
  for _, field in ipairs(redis.call('HKEYS', about)) do
    if #field > 1 then ids[#ids + 1] = string.sub(field, 2) end
  end
  return ids
end

local function unpin_all(about)
  for _, id in ipairs(pinned_in(about)) do redis.call('HDEL', about, 'p' .. id) end
end

-- Forgets all but the turn: a worker may clear a conversation and go on in his turn.
local function forget_about(about)
  local lease = redis.call('HGET', about, 'l')
  redis.call('DEL', about)
  if not lease then return end
  redis.call('HSET', about, 'l', lease)
  redis.call('PEXPIREAT', about, string.match(lease, ':(%d+)$'))
end

-- Sets fields of `about`, claims the conversation for `user` if `owned` allowed it, and keeps it alive for at least `ttl`
-- milliseconds (0: for ever).
local function claim(about, user, ttl, ...)
  if stale then forget_about(about) end
  local left = redis.call('PTTL', about)
  local fields = { ... }
  if user ~= '' and redis.call('HGET', about, 'u') ~= user then
    fields[#fields + 1], fields[#fields + 2] = 'u', user
    local longest = data_lives()
    if longest == -1 then
      ttl = 0
    elseif longest and ttl ~= 0 then
      ttl = math.max(ttl, longest)
    end
  end
  if #fields > 0 then
    redis.call('HSET', about, unpack(fields))
  elseif left == -2 then
    return
  end
  if ttl == 0 then
    redis.call('PERSIST', about)
  elseif left ~= -1 and ttl > left then
    redis.call('PEXPIRE', about, ttl)
  end
end

-- After something was removed: what is known of a conversation goes with its last data.
local function release(about)
  if redis.call('EXISTS', about) == 0 then return end
  local longest = data_lives()
  if not longest then
    forget_about(about)
  elseif longest > 0 and redis.call('HEXISTS', about, 'l') == 0 then
    redis.call('PEXPIRE', about, longest)
  end
end
