-- Whose turn it is in a conversation, and how its log is changed. Needs owner.lua, ops.lua and time.lua. Included in front
-- of other scripts.

local TURN_LOST = { err = 'MKLOST the turn is over' }
local REFUSED = '!'

-- Nil, or why a change in turn `turn` ('' for none) is refused.
local function turn_problem(about, turn)
  local number, ends = turn_of(about)
  local left = (ends or 0) - now_ms()
  if left > 0 and turn == number then return nil end
  if turn ~= '' then return TURN_LOST end
  if left > 0 then return redis.error_reply('MKTURN ' .. digits(left)) end
  return nil
end

-- What every change of a log but an append begins with. Returns the result of the first attempt if this is a repeat, and an
-- error if it is refused. The refusal is noted: a late attempt must not land when the turn is over.
local function enter(fence, about, ops, user, window, lane, number, turn)
  if erased(fence) then return nil, ERASED end
  if not owned(about, user) then return nil, NOT_OWNER end
  local done = replay(ops, lane, number)
  if done == REFUSED then return nil, TURN_LOST end
  if done then return done end
  local problem = turn_problem(about, turn)
  if problem then record(ops, lane, number, REFUSED, window) end
  return nil, problem
end

-- The fields of `about` that a change of the log sets.
local function changed(about, edited, begins, created)
  local last, begun = unpack(redis.call('HMGET', about, 'r', 'c'))
  local revision = digits(math.max(now_us(), (tonumber(last) or 0) + 1))
  local fields = { 'r', revision }
  if edited or begins or not begun then
    fields[3], fields[4] = 'e', revision
  end
  if begins or not begun then
    fields[#fields + 1], fields[#fields + 2] = 'c', created or digits(now_us())
  end
  return fields
end

-- The time to live that a write asks for: '~' in front of it gives way to the one that was set for the conversation.
local function ttl_of(about, asked)
  if string.sub(asked, 1, 1) ~= '~' then return tonumber(asked) end
  return tonumber(redis.call('HGET', about, 'x') or string.sub(asked, 2))
end
