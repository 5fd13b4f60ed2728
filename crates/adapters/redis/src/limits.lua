-- One step of the budgets of some keys, as the rules of `domain/src/limits` have them. Times are
-- whole microseconds by the server's clock: below 2^53, so exact as Lua's numbers.
--
-- KEYS: the keys. ARGV: what to do, then six arguments a key:
--   "f", interval, tolerance, 0, 0, 0                          a flow
--   "w", tries, period, first wait (0: none), 0, 0              a window
-- For a refund the last three are when the try passed, when the one before it did, and 1 if it
-- passed after a wait: "f", interval, tolerance, 0, 0, 0 / "w", tries, period, at, before, waited.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local action = ARGV[1]

local function whole(number) return string.format('%.0f', number) end

local function keep(key, value, micros)
  redis.call('SET', key, value, 'PX', whole(math.ceil(micros / 1000) + 1))
end

-- "waited last free free …"
local function read(stored)
  local numbers = {}
  for number in string.gmatch(stored or '', '%S+') do numbers[#numbers + 1] = tonumber(number) end
  local tries = { waited = numbers[1] or 0, last = numbers[2] or 0, free = {} }
  for place = 3, #numbers do tries.free[#tries.free + 1] = numbers[place] end
  return tries
end

local function write(tries)
  local parts = { whole(tries.waited), whole(tries.last) }
  for _, at in ipairs(tries.free) do parts[#parts + 1] = whole(at) end
  return table.concat(parts, ' ')
end

local function wait(rule, waited)
  return math.min(rule.first * 2 ^ math.min(waited, 31), rule.period)
end

local function lifetime(rule, waited) return wait(rule, waited) + rule.period end

-- What still counts. Once the free tries of a window that relents are spent, they stay spent until
-- all is forgiven.
local function settled(rule, tries)
  local last = math.min(tries.last, now)
  if now - last >= lifetime(rule, tries.waited) then return { waited = 0, last = last, free = {} } end
  local spent = rule.first > 0 and (tries.waited > 0 or #tries.free >= rule.tries)
  local free = {}
  for _, at in ipairs(tries.free) do
    at = math.min(at, now)
    if spent or now - at < rule.period then free[#free + 1] = at end
  end
  return { waited = tries.waited, last = last, free = free }
end

local function left(rule, tries)
  if tries.waited > 0 then return 0 end
  return math.max(rule.tries - #tries.free, 0)
end

local function take_flow(rule, stored)
  local latest = now + rule.tolerance
  local arrival = math.min(math.max(tonumber(stored) or now, now), latest) + rule.interval
  if arrival > latest then return nil, arrival - latest end
  local free = math.floor((rule.tolerance - (arrival - now)) / rule.interval)
  return { value = whole(arrival), micros = arrival - now, at = 0, before = 0, waited = 0, left = free }
end

local function take_window(rule, stored)
  local tries = settled(rule, read(stored))
  local taken = { at = now, before = tries.last, waited = 0 }
  if tries.waited == 0 and #tries.free < rule.tries then
    tries.free[#tries.free + 1] = now
  else
    local due = (tries.free[1] or now) + rule.period
    if rule.first > 0 then due = tries.last + wait(rule, tries.waited) end
    if now < due or rule.first == 0 then return nil, math.max(due - now, 1) end
    taken.waited = 1
    tries.waited = tries.waited + 1
  end
  tries.last = now
  taken.value, taken.micros, taken.left = write(tries), lifetime(rule, tries.waited), left(rule, tries)
  return taken
end

-- What counts nothing any more takes no room: it would push out what does.
local function refund(key, rule, stored, at, before, waited)
  if rule.flow then
    local arrival = tonumber(stored) - rule.interval
    if arrival <= now then redis.call('DEL', key) else redis.call('SET', key, whole(arrival), 'KEEPTTL') end
    return
  end
  local tries = read(stored)
  if waited == 1 then
    tries.waited = math.max(tries.waited - 1, 0)
  else
    for place = #tries.free, 1, -1 do
      if tries.free[place] == at then table.remove(tries.free, place) break end
    end
  end
  if tries.last == at then tries.last = before end
  if tries.waited == 0 and #tries.free == 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, write(tries), 'KEEPTTL')
  end
end

local taken, worst, place_of_worst = {}, nil, nil
local answer = { 0 }
for place, key in ipairs(KEYS) do
  local from = (place - 1) * 6 + 2
  local rule
  if ARGV[from] == 'f' then
    rule = { flow = true, interval = tonumber(ARGV[from + 1]), tolerance = tonumber(ARGV[from + 2]) }
  else
    rule = { tries = tonumber(ARGV[from + 1]), period = tonumber(ARGV[from + 2]), first = tonumber(ARGV[from + 3]) }
  end
  local stored = redis.call('GET', key)
  if action == 'refund' then
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
