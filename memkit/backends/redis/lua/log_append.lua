--!include owner order ops
-- Appends records to a log, all or none; those that are there already are passed over.
--
-- KEYS  log pos idx gone ops about
-- ARGV  ttl (ms, 0 for ever), user ('' asks nothing), window (ms), lane, number, flags, then id and bytes of each record
--       flags: a character for each record: 'n' memkit named it for this very call, 'g' its id was given by the caller
-- Reply how many were new
--
-- A named id above the last order key was never stored: the last order key only ever rises while the log lives, and the
-- log outlives its own removal by `window`. So the usual append needs no look-up. Given ids can be stored anew after a
-- removal, so a repeat is told by its lane.
local log, pos, idx, gone, ops, about = unpack(KEYS)
local ttl, user, window, lane, number, flags = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if not claim(about, user, ttl) then return NOT_OWNER end
if lane ~= '' then
  local done = replay(ops, lane, number)
  if done then return tonumber(done) or 0 end
end

local top = redis.call('LINDEX', pos, -1)

local function known(id, flag)
  if flag == 110 then
    return redis.call('HEXISTS', idx, id) == 1 or redis.call('ZSCORE', gone, id) or place_of(pos, idx, id)
  end
  return record_at(log, pos, idx, id)
end

-- The key of a record that may not use its id as it is.
local function key_for(id, flag)
  if #id == 16 and (not top or below(top, id)) and flag == 103 and string.byte(id, 7) >= 112 and string.byte(id, 7) < 128 then
    -- Given, but made by memkit: it must be found where a late first attempt would look for it. An id from the future
    -- stays out of the order, or everybody else's would be below it.
    local ms = struct.unpack('>I6', id)
    if ms <= now_ms() + 86400000 then return id end
  end
  return after(top or string.rep('\0', 16))
end

local new, indexed = 0, false
for n = 1, #flags do
  local flag, id, wire = string.byte(flags, n), ARGV[5 + 2 * n], ARGV[6 + 2 * n]
  local key
  if flag == 110 and top and below(top, id) then
    key = id
  elseif not known(id, flag) then
    key = (flag == 110 and not top) and id or key_for(id, flag)
    if key ~= id then
      redis.call('HSET', idx, id, key)
    elseif redis.call('HEXISTS', idx, id) == 1 then
      redis.call('HDEL', idx, id)
    end
  end
  if key then
    local records, keys = redis.call('RPUSH', log, wire), redis.call('RPUSH', pos, key)
    if records ~= keys then
      -- Evicted by half: nothing may be added to what is left.
      redis.call('RPOP', log)
      redis.call('RPOP', pos)
      return redis.error_reply('MKHALF one key of a log was evicted and the other was not')
    end
    top = key
    new = new + 1
  end
end
touch(ttl, log, pos, idx)
if lane ~= '' then record(ops, lane, number, tostring(new), window) end
return new
