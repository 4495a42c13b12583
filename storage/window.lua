-- The sliding window: takes a grant, or only reads the window, in one atomic step.
--
-- KEYS[1]   log: sorted set with one entry per grant; score = time (microseconds), member = running total,
--           including this grant, zero-padded: the use of a span is the difference of two totals
-- KEYS[2]   state: hash of `run` (the server run that wrote the log), `window` (its length, milliseconds) and
--           `skew` (microseconds; see tick())
-- ARGV[1]   limit >= 1; may change between calls
-- ARGV[2]   window, milliseconds
-- ARGV[3]   want: the most to grant; 0 only reads the window
-- ARGV[4]   minimum >= 1: a smaller grant is refused; a minimum above the limit counts as the limit
-- ARGV[5]   clock, microseconds; '' means the server's TIME (tests pass a clock, because TIME cannot be set)
-- ARGV[6]   '1': recent grants follow and replace a cold log; '0': none follow
-- ARGV[7…]  recent grants: at (microseconds, ascending), amount (>= 1), at, amount, …
--
-- Returns {0, clock} and changes nothing if the log is cold and ARGV[6] is '0'. Otherwise returns
-- {1, granted, now, wait, remaining, reset}: `now` is the window's own time in microseconds; `wait` is the time
-- until `minimum` is available (0 unless refused) and `reset` the time until nothing counts as used, both in
-- milliseconds, rounded up.

local LOG, STATE = KEYS[1], KEYS[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000
local want, minimum = tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), limit)

local function server_clock()
  if ARGV[5] ~= '' then return tonumber(ARGV[5]) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A log is cold after a restart or a failover, which can lose its last second of grants. It is also cold if its
-- window has another length: the log of a shorter window has too few grants, and the log of an earlier setting
-- lacks the grants since.
local function server_run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
end

local function is_cold(run)
  local state = redis.call('HMGET', STATE, 'run', 'window')
  return state[1] ~= run or state[2] ~= ARGV[2] or redis.call('EXISTS', LOG) == 0
end

-- Numbers are formatted explicitly, because Lua's default keeps 14 digits and microseconds have 16.
local function append(at, total)
  redis.call('ZADD', LOG, string.format('%.0f', at), string.format('%016.0f', total))
end

local function entry(rank)
  local pair = redis.call('ZRANGE', LOG, rank, rank, 'WITHSCORES')
  return {total = tonumber(pair[1]), at = tonumber(pair[2])}
end

-- Two windows: after one window without a grant, no entry counts any more, so the log can expire.
-- At least a minute, so that short windows do not query PostgreSQL repeatedly.
local function keep()
  local ttl = math.max(2 * tonumber(ARGV[2]), 60000)
  redis.call('PEXPIRE', LOG, ttl)
  redis.call('PEXPIRE', STATE, ttl)
end

local function load(run)
  redis.call('DEL', LOG, STATE)
  redis.call('HSET', STATE, 'run', run, 'window', ARGV[2], 'skew', 0)
  append(-math.huge, 0) -- the first baseline: older than every grant
  local total = 0
  for i = 7, #ARGV, 2 do
    total = total + tonumber(ARGV[i + 1])
    append(tonumber(ARGV[i]), total)
  end
  keep()
end

-- Return the clock as the window's own time. If the clock steps back by up to a window, time waits for it. If it
-- steps back by more (a host that started with a wrong clock), waiting would block the account that long.
-- Time then continues from the newest grant, so no wait exceeds two windows and no grant is lost.
local function tick(clock, newest)
  local skew = tonumber(redis.call('HGET', STATE, 'skew'))
  if newest.at - (clock + skew) > window then
    skew = newest.at - clock
    redis.call('HSET', STATE, 'skew', string.format('%.0f', skew))
  end
  return clock + skew
end

-- Return the first entry with at least this total, by binary search over the ranks.
local function reaching(total)
  local low, high = 0, redis.call('ZCARD', LOG) - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if entry(middle).total < total then low = middle + 1 else high = middle end
  end
  return entry(low)
end

local clock, run = server_clock(), server_run()
if is_cold(run) then
  if ARGV[6] ~= '1' then return {0, clock} end
  load(run)
end

local newest = entry(-1)
local ticked = tick(clock, newest)
local now = math.max(ticked, newest.at)

-- A grant counts until it is OLDER than the window, so no closed span of a window exceeds the limit.
local older = redis.call('ZCOUNT', LOG, '-inf', string.format('(%.0f', now - window))
local used = newest.total - entry(older - 1).total
local available = math.max(0, limit - used) -- the limit may have been lowered

local function until_free(at)
  return math.ceil((at + window + 1 - ticked) / 1000)
end

local granted, wait, reset = 0, 0, 0
if available < minimum then
  wait = until_free(reaching(newest.total - (limit - minimum)).at)
elseif want > 0 then
  granted = math.min(want, available)
  newest = {total = newest.total + granted, at = now}
  append(now, newest.total)
  if older > 1 then redis.call('ZREMRANGEBYRANK', LOG, 0, older - 2) end -- all entries before the baseline
  keep()
end
if used + granted > 0 then reset = until_free(newest.at) end

return {1, granted, now, wait, available - granted, reset}
