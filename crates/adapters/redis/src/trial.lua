-- Runs every command of the other scripts on a key that does not exist, so nothing changes.
redis.call('TIME')
redis.call('GET', KEYS[1])
redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], '', 'PX', 1, 'XX')
return {}
