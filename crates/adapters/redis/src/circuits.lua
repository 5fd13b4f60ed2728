-- What replicas tell each other of a circuit. KEYS: the news, the claim of its probe. ARGV: what
-- to do, the replica, a time in milliseconds. Times that are kept are the server's, in
-- microseconds, and number the news.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local action, replica, millis = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- News are of use until every replica has read them, and to one that starts while all wait.
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
