--!first append_usual
--!include time owner ops turn order trim
-- Appends records to a log, all or none; those that are there already are passed over. Then drops what shall not be kept.
--
-- KEYS  fence log pos idx gone ops about [wm log idx ltm br]
-- ARGV  ttl (ms, 0 for ever; see ttl_of), user ('' asks nothing), window (ms), lane, number, turn, flags, options, then id
--       and bytes of each record
--       flags: a character for each record, the sum of its mark and 64: memkit named it for this very call, or 96: its id
--       was given by the caller
--       options: '' or a number (`most` alone) or a msgpack map: most, age (ms), whole, alone, t, m, c, x (see owner.lua, of a new log)
-- Reply how many were new; nil: there are records, and `alone` was asked for
--
-- A named id that is above the last order key and not in idx or gone was never stored: the last order key only ever rises
-- while the log lives, and the log outlives its own removal by `window`. So the usual append needs no search. Given ids
-- can be stored anew after a removal, so a repeat is told by its lane; and so is one from a writer whose clock is far off,
-- whose ids `gone` would keep too short.
local fence, log, pos, idx, gone, ops, about = unpack(KEYS)
local asked, user, window, lane, number, turn, flags, options = unpack(ARGV, 1, 8)
window = tonumber(window)
if erased(fence) then return ERASED end
if not owned(about, user) then return NOT_OWNER end
local opt = { most = tonumber(options) }
if options ~= '' and not opt.most then opt = cmsgpack.unpack(options) end

local now = now_ms()
local given = string.find(flags, '[`-g]')
local tracked = given or turn ~= '' or opt.alone or math.abs(ms_of(ARGV[9]) - now) > window / 4
if tracked then
  local done = replay(ops, lane, number)
  if done == REFUSED then return TURN_LOST end
  if done == '-' then return false end
  if done then return tonumber(done) or 0 end
end

local top = redis.call('LINDEX', pos, -1)
local begins = not top

-- Whether an id may be its own order key. One from the future may not: everybody else's would be below it.
local function leads(id)
  return named(id) and ms_of(id) <= now + DAY and (not top or below(key_of(top), id))
end

local function known(id, is_given, first)
  if redis.call('HEXISTS', idx, id) == 1 then return true end
  if not is_given and redis.call('ZSCORE', gone, id) then return true end
  return not first and place_of(pos, idx, id)
end

local problem = turn_problem(about, turn)
if problem then
  if not tracked and known(ARGV[9], given, leads(ARGV[9])) then return 0 end
  -- Noted, or a late attempt could land when the turn is over.
  record(ops, lane, number, REFUSED, window)
  for n = 1, #flags do remember(gone, ARGV[7 + 2 * n], 0) end
  redis.call('PEXPIRE', gone, window)
  return problem
end
if opt.alone and live(log, idx) > 0 then
  record(ops, lane, number, '-', window)
  return false
end
-- Now, or it would take along what is set below.
if stale then forget_about(about) end
stale = false
if begins then unpin_all(about) end

-- What a pin creates has no time to live yet, and would be taken for what lives for ever.
local is_new = redis.call('EXISTS', about) == 0
local function append(id, wire, key, mark)
  local element = element_of(key, id, mark)
  if key ~= id then redis.call('HSET', idx, id, key) end
  if has(mark, PINNED) then redis.call('HSET', about, 'p' .. id, 1) end
  local records, keys = redis.call('RPUSH', log, wire), redis.call('RPUSH', pos, element)
  if records == keys then return element end
  redis.call('RPOP', log)
  redis.call('RPOP', pos)
end

local new, most = 0, #flags
if opt.whole and known(ARGV[9], true, leads(ARGV[9])) then most = 0 end
for n = 1, most do
  local flag, id, wire = string.byte(flags, n), ARGV[7 + 2 * n], ARGV[8 + 2 * n]
  local first = leads(id)
  if not known(id, flag >= 96, first) then
    top = append(id, wire, first and id or key_now(top and key_of(top)), flag % 32)
    -- Evicted by half: nothing may be added to what is left.
    if not top then return redis.error_reply('MKHALF one key of a log was evicted and the other was not') end
    new = new + 1
  end
end
-- A late repeat neither claims nor keeps alive what was changed or removed meanwhile.
if new > 0 or (given and live(log, idx) > 0) then
  local ttl = ttl_of(about, asked)
  local fields = {}
  if new > 0 then
    local cutoff = opt.age and now - opt.age or 0
    local dropped = (opt.most or opt.age) and trim(log, pos, idx, gone, about, opt.most or 0, cutoff, now - window) or 0
    if dropped > 0 and redis.call('EXISTS', gone) == 1 then redis.call('PEXPIRE', gone, window) end
    fields = changed(about, dropped > 0, begins, opt.c)
    local anew = begins or redis.call('HEXISTS', about, 'c') == 0
    for _, field in ipairs({ 't', 'm', 'x' }) do
      if anew and opt[field] then fields[#fields + 1], fields[#fields + 2] = field, opt[field] end
    end
  end
  -- First, or the log counts as one that lives for ever.
  touch(ttl, log, pos, idx)
  if is_new then touch(ttl, about) end
  claim(about, user, ttl, unpack(fields))
end
if tracked then record(ops, lane, number, tostring(new), window) end
return new
