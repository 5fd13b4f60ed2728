-- Every command that the other scripts run, on a key that nobody has: nothing is changed.
redis.call('TIME')
redis.call('GET', KEYS[1])
redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], '', 'PX', 1, 'XX')
return {}
