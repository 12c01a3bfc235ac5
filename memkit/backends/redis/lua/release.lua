-- Gives up the ownership of a conversation that has no data left. Needs order.lua. Included in front of other scripts.

local function release(about, wm, log, idx, ltm)
  if redis.call('EXISTS', about) == 0 then return end
  local head = redis.call('GETRANGE', wm, 3, 10)
  if #head == 8 and struct.unpack('>I8', head) > 0 then return end
  if live(log, idx) > 0 or redis.call('EXISTS', ltm) == 1 then return end
  redis.call('DEL', about)
end
