--!include time owner ops
-- Sets title or metadata of a conversation.
--
-- KEYS  fence ops about wm log idx ltm br
-- ARGV  user, window, lane, number, then name and value of each field; an empty value takes it away
-- Reply 1 done, 0 it has no data
local fence, ops, about = unpack(KEYS)
local user, window, lane, number = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local done = replay(ops, lane, number)
if done then return tonumber(done) or 0 end
local lives = data_lives()
if lives then
  claim(about, user, math.max(lives, 0))
  local left = redis.call('PTTL', about)
  for n = 5, #ARGV, 2 do
    if ARGV[n + 1] == '' then
      redis.call('HDEL', about, ARGV[n])
    else
      redis.call('HSET', about, ARGV[n], ARGV[n + 1])
    end
  end
  if left == -2 and lives > 0 then redis.call('PEXPIRE', about, lives) end
end
record(ops, lane, number, lives and '1' or '0', window)
return lives and 1 or 0
