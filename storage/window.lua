-- The sliding window: asks for a grant, or only looks, in one atomic step.
--
-- KEYS[1]   log: sorted set, one entry a grant; score = when (microseconds), member = all that was
--           granted up to and including it, zero-padded, so that what a span used is a difference of two
-- KEYS[2]   state: hash of `run`, the server run that wrote the log, the `window` that it is of, and `skew`
--           (microseconds), see tick()
-- ARGV[1]   limit >= 1; may differ from call to call
-- ARGV[2]   window, milliseconds
-- ARGV[3]   want: at most this much is granted; 0 only looks
-- ARGV[4]   minimum >= 1: less than this is refused; a minimum over the limit means the limit
-- ARGV[5]   clock, microseconds; '' means the server's TIME (tests step the clock, and TIME cannot be stepped)
-- ARGV[6]   '1': recent grants follow and replace a cold state; '0': none follow
-- ARGV[7…]  recent grants: at (microseconds, ascending), amount (>= 1), at, amount, …
--
-- Returns {0, clock} where the state is cold and nothing followed; nothing was changed. Otherwise
-- {1, granted, now, wait, remaining, reset}: `now` in microseconds on the window's own time; `wait` in
-- milliseconds, rounded up, until `minimum` is there (0 unless refused), `reset` until nothing is used.

local LOG, STATE = KEYS[1], KEYS[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000
local want, minimum = tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), limit)

local function server_clock()
  if ARGV[5] ~= '' then return tonumber(ARGV[5]) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A restart or a failover can bring back a log without its last second of grants: such a log is cold. So is
-- one of another window: of a shorter one it has too little, and of an older setting it lacks what came since.
local function server_run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
end

local function is_cold(run)
  local state = redis.call('HMGET', STATE, 'run', 'window')
  return state[1] ~= run or state[2] ~= ARGV[2] or redis.call('EXISTS', LOG) == 0
end

-- Numbers are formatted by hand: Lua's own way keeps 14 digits, and microseconds have 16.
local function append(at, total)
  redis.call('ZADD', LOG, string.format('%.0f', at), string.format('%016.0f', total))
end

local function entry(rank)
  local found = redis.call('ZRANGE', LOG, rank, rank, 'WITHSCORES')
  return {total = tonumber(found[1]), at = tonumber(found[2])}
end

-- Two windows: what expires is forgotten, and after one window nothing in it counts any more.
-- The minute keeps short windows from asking PostgreSQL again and again.
local function keep()
  local ttl = math.max(2 * tonumber(ARGV[2]), 60000)
  redis.call('PEXPIRE', LOG, ttl)
  redis.call('PEXPIRE', STATE, ttl)
end

local function load(run)
  redis.call('DEL', LOG, STATE)
  redis.call('HSET', STATE, 'run', run, 'window', ARGV[2], 'skew', 0)
  append(-math.huge, 0) -- the first baseline: older than everything
  local total = 0
  for i = 7, #ARGV, 2 do
    total = total + tonumber(ARGV[i + 1])
    append(tonumber(ARGV[i]), total)
  end
  keep()
end

-- The clock in the window's own time. A clock put back by up to a window is waited for. One put back by
-- more (a host that started with a wrong clock) would stop the account for as long: from then on time
-- counts on from the newest grant, so that no wait exceeds two windows and no grant is forgotten.
local function tick(clock, newest)
  local skew = tonumber(redis.call('HGET', STATE, 'skew'))
  if newest.at - (clock + skew) > window then
    skew = newest.at - clock
    redis.call('HSET', STATE, 'skew', string.format('%.0f', skew))
  end
  return clock + skew
end

-- The first entry with at least this total, by binary search over the ranks.
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

-- A grant counts until it is OLDER than the window: then no closed span of a window exceeds the limit.
local older = redis.call('ZCOUNT', LOG, '-inf', string.format('(%.0f', now - window))
local used = newest.total - entry(older - 1).total
local available = math.max(0, limit - used) -- the limit may have been lowered since

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
  if older > 1 then redis.call('ZREMRANGEBYRANK', LOG, 0, older - 2) end -- all before the baseline
  keep()
end
if used + granted > 0 then reset = until_free(newest.at) end

return {1, granted, now, wait, available - granted, reset}
