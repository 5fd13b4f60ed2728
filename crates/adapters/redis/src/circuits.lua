-- Shares the state of a circuit among replicas. KEYS: the latest update, the lease of the probe. ARGV:
-- action, replica, time in milliseconds. Stored times are the server's, in microseconds, and serve as
-- versions of the updates.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local action, replica, millis = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Extra time in milliseconds to keep an update, for replicas that poll late or start during an outage.
local KEPT = 60000

local function tell(open_until)
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, open_until), 'PX', millis + KEPT)
  if redis.call('GET', KEYS[2]) == replica then redis.call('DEL', KEYS[2]) end
  return { now }
end

if action == 'opened' then return tell(now + millis * 1000) end
if action == 'closed' then return tell(0) end
if action == 'claim' then
  local holder = redis.call('GET', KEYS[2])
  if holder and holder ~= replica then return { math.max(redis.call('PTTL', KEYS[2]), 1) } end
  redis.call('SET', KEYS[2], replica, 'PX', millis)
  return {}
end
local news = redis.call('GET', KEYS[1])
if not news then return {} end
local number, open_until = string.match(news, '^(%d+) (%d+)$')
if open_until == '0' then return { tonumber(number), -1 } end
return { tonumber(number), math.max(tonumber(open_until) - now, 0) }
