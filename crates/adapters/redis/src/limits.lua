-- Updates the budgets of some keys by the rules of `domain/src/limits`. Times are whole microseconds of
-- the server's clock. They are below 2^53, so Lua represents them exactly.
--
-- KEYS: the keys. ARGV: the action, then seven arguments per key:
--   "f", interval, tolerance, 0, 0, 0, waiter                    GCRA
--   "w", limit, period, first wait (0: none), 0, 0, waiter       sliding window
-- For a refund the three in the middle are the time of the attempt, the time of the waiter's previous
-- attempt, and 1 if it passed after a wait. A waiter is a text.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local action = ARGV[1]
local MOST_WAITERS = 100

local function whole(number) return string.format('%.0f', number) end

local function keep(key, value, micros)
  redis.call('SET', key, value, 'PX', whole(math.ceil(micros / 1000) + 1))
end

-- Parses free attempts, stored as times, and waits, stored as "waiter:count:last", separated by spaces.
local function read(stored)
  local tries = { free = {}, waits = {} }
  for part in string.gmatch(stored or '', '%S+') do
    local waiter, count, last = string.match(part, '^(%x+):(%d+):(%d+)$')
    if waiter then
      tries.waits[#tries.waits + 1] = { waiter = waiter, count = tonumber(count), last = tonumber(last) }
    else
      tries.free[#tries.free + 1] = tonumber(part)
    end
  end
  return tries
end

local function write(tries)
  local parts = {}
  for _, at in ipairs(tries.free) do parts[#parts + 1] = whole(at) end
  for _, one in ipairs(tries.waits) do
    parts[#parts + 1] = one.waiter .. ':' .. whole(one.count) .. ':' .. whole(one.last)
  end
  return table.concat(parts, ' ')
end

local function wait(rule, waited)
  return math.min(rule.first * 2 ^ math.min(waited, 31), rule.period)
end

local function lifetime(rule, waited) return wait(rule, waited) + rule.period end

local function newest(times)
  local last = 0
  for _, at in ipairs(times) do last = math.max(last, at) end
  return last
end

-- Returns the attempts that still count. In a window with backoff, used free attempts stay used until
-- all waits have expired.
local function settled(rule, tries)
  local waits, times, free = {}, {}, {}
  for _, one in ipairs(tries.waits) do
    one.last = math.min(one.last, now)
    if now - one.last < lifetime(rule, one.count) then waits[#waits + 1] = one end
  end
  for _, at in ipairs(tries.free) do times[#times + 1] = math.min(at, now) end
  local spent = rule.first > 0 and (#waits > 0 or #times >= rule.tries)
  local all = spent and (#waits > 0 or now - newest(times) < lifetime(rule, 0))
  for _, at in ipairs(times) do
    if all or (not spent and now - at < rule.period) then free[#free + 1] = at end
  end
  return { free = free, waits = waits }
end

local function left(rule, tries)
  if #tries.waits > 0 then return 0 end
  return math.max(rule.tries - #tries.free, 0)
end

local function take_flow(rule, stored)
  local latest = now + rule.tolerance
  local arrival = math.min(math.max(tonumber(stored) or now, now), latest) + rule.interval
  if arrival > latest then return nil, arrival - latest end
  local free = math.floor((rule.tolerance - (arrival - now)) / rule.interval)
  return { value = whole(arrival), micros = arrival - now, at = 0, before = 0, waited = 0, left = free }
end

-- Returns the wait of a waiter and its index, or a new wait and nil.
local function waits_of(tries, waiter)
  for place, one in ipairs(tries.waits) do
    if one.waiter == waiter then return one, place end
  end
  return { waiter = waiter, count = 0, last = newest(tries.free) }, nil
end

local function forget_oldest(waits)
  local oldest = 1
  for place, one in ipairs(waits) do
    if one.last < waits[oldest].last then oldest = place end
  end
  table.remove(waits, oldest)
end

local function take_window(rule, stored)
  local tries = settled(rule, read(stored))
  local taken = { at = now, before = 0, waited = 0 }
  if #tries.waits == 0 and #tries.free < rule.tries then
    tries.free[#tries.free + 1] = now
  else
    local own, place = waits_of(tries, rule.waiter)
    local due = (tries.free[1] or now) + rule.period
    if rule.first > 0 then due = own.last + wait(rule, own.count) end
    if now < due or rule.first == 0 then return nil, math.max(due - now, 1) end
    if place then table.remove(tries.waits, place) end
    if #tries.waits >= MOST_WAITERS then forget_oldest(tries.waits) end
    tries.waits[#tries.waits + 1] = { waiter = own.waiter, count = own.count + 1, last = now }
    taken.waited, taken.before = 1, own.last
  end
  local longest = 0
  for _, one in ipairs(tries.waits) do longest = math.max(longest, one.count) end
  taken.value, taken.micros, taken.left = write(tries), lifetime(rule, longest), left(rule, tries)
  return taken
end

-- Deletes keys without effect, since they would evict keys that still count.
local function refund(key, rule, stored, at, before, waited)
  if rule.flow then
    local arrival = tonumber(stored) - rule.interval
    if arrival <= now then redis.call('DEL', key) else redis.call('SET', key, whole(arrival), 'KEEPTTL') end
    return
  end
  local tries = read(stored)
  if waited == 1 then
    local own, place = waits_of(tries, rule.waiter)
    if place then
      own.count = own.count - 1
      if own.last == at then own.last = before end
      if own.count <= 0 then table.remove(tries.waits, place) end
    end
  else
    for place = #tries.free, 1, -1 do
      if tries.free[place] == at then table.remove(tries.free, place) break end
    end
  end
  if #tries.waits == 0 and #tries.free == 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, write(tries), 'KEEPTTL')
  end
end

local taken, worst, place_of_worst = {}, nil, nil
local answer = { 0 }
for place, key in ipairs(KEYS) do
  local from = (place - 1) * 7 + 2
  local rule
  if ARGV[from] == 'f' then
    rule = { flow = true, interval = tonumber(ARGV[from + 1]), tolerance = tonumber(ARGV[from + 2]) }
  else
    rule = { tries = tonumber(ARGV[from + 1]), period = tonumber(ARGV[from + 2]), first = tonumber(ARGV[from + 3]) }
  end
  rule.waiter = ARGV[from + 6]
  local stored = redis.call('GET', key)
  if action == 'clear' then
    redis.call('DEL', key)
  elseif action == 'refund' then
    if stored then
      refund(key, rule, stored, tonumber(ARGV[from + 3]), tonumber(ARGV[from + 4]), tonumber(ARGV[from + 5]))
    end
  elseif action == 'remaining' then
    if rule.flow then
      local arrival = math.max(tonumber(stored) or now, now)
      answer[2] = math.max(math.floor((rule.tolerance - (arrival - now)) / rule.interval), 0)
    else
      answer[2] = left(rule, settled(rule, read(stored)))
    end
  else
    local one, longer
    if rule.flow then one, longer = take_flow(rule, stored) else one, longer = take_window(rule, stored) end
    taken[place] = one
    if not one and (not worst or worst < longer) then worst, place_of_worst = longer, place end
  end
end
if worst then return { 1, place_of_worst, worst } end
for place, one in ipairs(taken) do
  keep(KEYS[place], one.value, one.micros)
  for _, number in ipairs({ one.at, one.before, one.waited, one.left }) do answer[#answer + 1] = number end
end
return answer
