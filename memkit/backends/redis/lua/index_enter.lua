--!include time owner index
-- Puts a conversation on the indexes that it belongs on, all of them or none; see index_touch.lua. Not for clusters: the
-- indexes lie in other slots.
--
-- KEYS  about, then for each index its fence, that of the name in it, cv and cx, then wm log idx ltm br
-- ARGV  user, milliseconds to live (0 for ever), window (ms), then for each index the name
-- Reply {1}; or {0, user, x}: it belongs to a user, and none was given
local about, user, ttl, window = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not owned(about, user) then return NOT_OWNER end
if data_lives() then
  local seen = redis.call('HMGET', about, 'u', 'x')
  if user == '' and seen[1] then return { 0, seen[1], seen[2] } end
  -- A time to live that was set is renewed by every write: nobody can say when it will end.
  if seen[2] then ttl = 0 end
end
local last = #KEYS - 8
for at = 2, last, 4 do
  if redis.call('EXISTS', KEYS[at], KEYS[at + 1]) > 0 then return redis.error_reply('MKERASED the data was erased') end
end
for at = 2, last, 4 do put_first(KEYS[at + 2], KEYS[at + 3], ARGV[4 + (at - 2) / 4], ttl, window) end
return { 1 }
