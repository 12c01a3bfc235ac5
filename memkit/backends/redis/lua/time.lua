-- The time of the server. Included in front of other scripts; it stands still while a script runs.

local CLOCK = redis.call('TIME')

local function now_ms()
  return CLOCK[1] * 1000 + math.floor(CLOCK[2] / 1000)
end

local function now_us()
  return CLOCK[1] * 1000000 + CLOCK[2]
end

-- A whole number as text: Lua's own would be 1.7e+15.
local function digits(number)
  return string.format('%.0f', number)
end
