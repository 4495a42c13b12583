-- Ring bells: add arq jobs to the queue. A field names what a bell is for; it has one bell that waits, at most.
-- KEYS: the queue, a hash of the waiting bells by field, a list that wakes workers.
-- ARGV: now and the time of the bell (ms since 1970), its life (ms), patience (ms), the limit of the list,
-- a random mark, the arq job, how many bells to ring, then the fields to try. Returns the number of new bells.
--
-- A worker removes the field when it has begun to serve the bell. If it died before, the bell is still marked as in
-- progress. It then blocks its field until it is older than `patience`. A bell whose time is further ahead than that of the
-- new one was rung before a clock was set back, or by a process whose clock is ahead: the new one replaces it.
local queue, waiting, wake = KEYS[1], KEYS[2], KEYS[3]
local now, at, life, patience = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local AHEAD = 1000 -- ms
local limit, mark, job, wanted = tonumber(ARGV[5]), ARGV[6], ARGV[7], tonumber(ARGV[8])

local function waits(field)
    local id = redis.call('HGET', waiting, field)
    local due = id and redis.call('ZSCORE', queue, id)
    if not due then return false end
    if redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
        return math.abs(now - tonumber(string.match(id, ':(%d+):%x+$'))) < patience
    end
    if tonumber(due) <= tonumber(at) + AHEAD then return true end
    redis.call('ZREM', queue, id)
    redis.call('DEL', 'arq:job:' .. id)
    return false
end

local rung = 0
for i = 9, #ARGV do
    if rung == wanted then break end
    local field = ARGV[i]
    if not waits(field) then
        local id = field .. ':' .. ARGV[1] .. ':' .. mark
        redis.call('HSET', waiting, field, id)
        redis.call('SET', 'arq:job:' .. id, job, 'PX', life)
        redis.call('ZADD', queue, at, id)
        redis.call('RPUSH', wake, '')
        rung = rung + 1
    end
end
if rung > 0 then
    redis.call('PEXPIRE', waiting, life)
    redis.call('LTRIM', wake, -limit, -1)
end
return rung
