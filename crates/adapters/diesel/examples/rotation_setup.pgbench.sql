-- Before rotation.pgbench.sql: a session with a live token for each of 1024 clients of pgbench, on a database that
-- `portcullis migrate` brought up to date. Run it before every run of pgbench, which counts from 0.

DELETE FROM refresh_tokens WHERE user_id IN (SELECT id FROM users WHERE email = 'pgbench@example.com');
DELETE FROM session_events;
DELETE FROM sessions;
DELETE FROM users WHERE email = 'pgbench@example.com';
WITH account AS (
    INSERT INTO users (email, hashed_password) VALUES ('pgbench@example.com', '') RETURNING id
)
INSERT INTO sessions (sid, user_id, created_at)
SELECT md5(client || ':0'), account.id, now() FROM account, generate_series(0, 1023) AS client;
INSERT INTO refresh_tokens (jti, user_id, expires_at, session_id)
SELECT sid, user_id, now() + interval '7 days', id FROM sessions;
VACUUM ANALYZE users, sessions, session_events, refresh_tokens;
