-- One GCRA step, as in bucket.rs. KEYS[1] keeps the time (us) at which the bucket is full again.
-- ARGV: burst, interval in us. Answers {allowed, us until full (allowed) or until the next one}.
local burst = tonumber(ARGV[1])
local interval = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
if full_at < now then full_at = now end
full_at = full_at + interval
local allowed_at = full_at - burst * interval
if allowed_at > now then
  return {0, allowed_at - now}
end
local ttl = math.ceil((full_at - now) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', string.format('%.0f', ttl))
return {1, full_at - now}
