-- The sliding window: takes a grant in one atomic step.
--
-- KEYS[1]   log: sorted set with one entry per grant; score = time (microseconds), member = running total,
--           including this grant, zero-padded: the use of a span is the difference of two totals
-- KEYS[2]   state: hash of `run` (the server run that wrote the log), `window` (its length, milliseconds), and the
--           base of the window's time (microseconds): `now` was its time at the readings `redis` and `postgres`
-- ARGV[1]   limit >= 1; may change between calls
-- ARGV[2]   window, milliseconds
-- ARGV[3]   the sums to grant, rising, separated by commas: the largest that is available, or less than the first;
--           '' to look only: nothing is granted or written
-- ARGV[4]   minimum >= 1: a smaller grant is refused; a minimum above the limit counts as the limit
-- ARGV[5]   reading of the server's clock, microseconds; '' means TIME (tests pass it, because TIME cannot be set)
-- ARGV[6]   reading of PostgreSQL's clock, microseconds; '' if the caller has none
-- ARGV[7]   '1': the recent grants follow and replace a cold log; '0': none follow
-- ARGV[8]   reading of the server's clock at the newest of the recent grants; absent if there are none
-- ARGV[9]   reading of PostgreSQL's clock at the newest of the recent grants
-- ARGV[10…] recent grants, oldest first: at, amount (>= 1), at, amount, …
--
-- Returns {0} and changes nothing if the log is cold and ARGV[7] is '0'. Otherwise returns
-- {1, granted, now, wait, remaining, reset, redis}: `now` is the window's own time and `redis` the reading of the
-- server's clock, in microseconds; `wait` is the time until `minimum` is available (0 unless refused) and `reset` the
-- time until nothing counts as used, both in milliseconds, rounded up.

local LOG, STATE = KEYS[1], KEYS[2]
local REBASE, STEP = 1000000, 100000 -- microseconds
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000
local sums, minimum = ARGV[3], math.min(tonumber(ARGV[4]), limit)

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
  local state = redis.call('HMGET', STATE, 'run', 'window', 'now')
  return state[1] ~= run or state[2] ~= ARGV[2] or not state[3] or redis.call('EXISTS', LOG) == 0
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

local function set_base(now, clocks)
  redis.call('HSET', STATE, 'now', string.format('%.0f', now), 'redis', string.format('%.0f', clocks.redis),
    'postgres', clocks.postgres and string.format('%.0f', clocks.postgres) or '')
end

-- The base of the log is that of its newest grant, so the time since that grant is measured by both clocks.
local function load(run, clocks)
  redis.call('DEL', LOG, STATE)
  redis.call('HSET', STATE, 'run', run, 'window', ARGV[2])
  append(-math.huge, 0) -- the first baseline: older than every grant
  local total = 0
  for i = 10, #ARGV, 2 do
    total = total + tonumber(ARGV[i + 1])
    append(tonumber(ARGV[i]), total)
  end
  if total > 0 then
    set_base(tonumber(ARGV[#ARGV - 1]), {redis = tonumber(ARGV[8]), postgres = tonumber(ARGV[9])})
  else
    set_base(clocks.postgres or clocks.redis, clocks)
  end
  keep()
end

-- Return the time that has passed since the base, and whether a clock has stepped. Of two clocks the smaller advance
-- counts, so a clock that steps forward ages no grant. A clock that went back has stepped: then the other one counts.
local function passed(base, clocks)
  local by_redis = clocks.redis - base.redis
  if not (clocks.postgres and base.postgres) then return math.max(by_redis, 0), by_redis < 0 end
  local by_postgres = clocks.postgres - base.postgres
  if by_redis < 0 then return math.max(by_postgres, 0), true end
  if by_postgres < 0 then return by_redis, true end
  return math.min(by_redis, by_postgres), math.abs(by_redis - by_postgres) >= STEP
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

local clocks, run = {redis = server_clock(), postgres = tonumber(ARGV[6])}, server_run()
if is_cold(run) then
  if ARGV[7] ~= '1' then return {0} end
  load(run, clocks)
end

local state = redis.call('HMGET', STATE, 'now', 'redis', 'postgres')
local base = {now = tonumber(state[1]), redis = tonumber(state[2]), postgres = tonumber(state[3])}
local advance, stepped = passed(base, clocks)
local now = base.now + advance
local newest = entry(-1)

-- A grant counts until it is OLDER than the window, so no closed span of a window exceeds the limit.
local older = redis.call('ZCOUNT', LOG, '-inf', string.format('(%.0f', now - window))
local used = newest.total - entry(older - 1).total
local available = math.max(0, limit - used) -- the limit may have been lowered

local function until_free(at)
  return math.ceil((at + window + 1 - now) / 1000)
end

local granted, wait, reset = 0, 0, 0
local looks = sums == ''
if looks then
  -- nothing to grant
elseif available < minimum then
  wait = until_free(reaching(newest.total - (limit - minimum)).at)
else
  granted = available
  for sum in string.gmatch(sums, '%d+') do
    if tonumber(sum) > available then break end
    granted = tonumber(sum)
  end
  newest = {total = newest.total + granted, at = now}
  append(now, newest.total)
  if older > 1 then redis.call('ZREMRANGEBYRANK', LOG, 0, older - 2) end -- all entries before the baseline
  keep()
end
if used + granted > 0 then reset = until_free(newest.at) end

-- A new base at every call would lose a little time at each, because PostgreSQL's clock is read some moments before
-- the server's. A grant needs one, so that two grants are never further apart than both clocks say. A step needs one,
-- so that a later step of the other clock finds the two agreed again.
if not looks and (granted > 0 or stepped or advance >= REBASE) then set_base(now, clocks) end

return {1, granted, now, wait, available - granted, reset, clocks.redis}
