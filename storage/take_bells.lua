-- Take bells to serve: those that are due and that nobody serves. Bells of single jobs come before those for work, and
-- the oldest come first. Each is marked as in progress, as arq marks its jobs.
-- KEYS: the queue. ARGV: now (ms since 1970), how many bells to read, how many to take, how many of them for work, the
-- start of the ids of those, the life of a mark (ms).
-- Returns 1 if another bell waits for a slot, or else 0; then the id and the time of each bell that was taken.
local now, read, most, turns = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local work, life = ARGV[5], ARGV[6]

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, read)
local taken, waits = {}, 0

local function take(for_work)
    for i = 1, #due, 2 do
        local id = due[i]
        if (string.sub(id, 1, #work) == work) == for_work and redis.call('EXISTS', 'arq:in-progress:' .. id) == 0 then
            if most == 0 or (for_work and turns == 0) then
                waits = 1
                return
            end
            redis.call('SET', 'arq:in-progress:' .. id, '1', 'PX', life)
            taken[#taken + 1] = id
            taken[#taken + 1] = due[i + 1]
            most = most - 1
            if for_work then turns = turns - 1 end
        end
    end
end

take(false)
take(true)
return {waits, unpack(taken)}
