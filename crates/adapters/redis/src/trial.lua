-- Runs every command of the other scripts on a key of its own. It is deleted at once, and expires if the server
-- ends in between.
redis.call('TIME')
redis.call('SET', KEYS[1], '', 'PX', 1000)
redis.call('GET', KEYS[1])
redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
return {}
