-- What a refresh writes, as one statement and one commit: the limit that `cargo xtask bench` holds
-- the service on PostgreSQL against. Every client goes along a chain of its own, whose tokens
-- are md5(client:n), so that none is shown twice. After rotation_setup.pgbench.sql:
--   pgbench -n -M prepared -D n=0 -c CLIENTS -j 2 -T SECONDS -f rotation.pgbench.sql DATABASE

\set next :n + 1
WITH spent AS (
    UPDATE refresh_tokens AS token
    SET revoked = true, spent_at = now(), successor_jti = md5(:client_id::text || ':' || :next::text)
    FROM users, sessions
    WHERE token.jti = md5(:client_id::text || ':' || :n::text) AND NOT token.revoked AND token.expires_at > now()
        AND users.id = token.user_id AND users.is_active
        AND sessions.id = token.session_id AND sessions.ended_at IS NULL
    RETURNING token.user_id, token.successor_jti, token.session_id
), told AS (
    INSERT INTO session_events (session_id, at, kind) SELECT session_id, now(), 'rotated' FROM spent
)
INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at, session_id)
SELECT successor_jti, user_id, now() + interval '7 days', false, now(), session_id FROM spent;
\set n :next
