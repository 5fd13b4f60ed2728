-- The jti of an adopted token may be any text, but the sid of a session is 32 hex digits. So if a
-- token's jti is not 32 hex digits, the token's row names its session in session_id. The previous
-- release rejects such tokens, and still runs.

-- The previous release created sessions for them with the unchanged jti as sid: link them, and replace
-- the sid.
UPDATE refresh_tokens AS token SET session_id = session.id
FROM sessions AS session
WHERE token.session_id IS NULL AND session.sid = token.jti AND session.user_id = token.user_id
    AND token.jti !~ '^[0-9a-f]{32}$';
UPDATE sessions SET sid = left(encode(sha256(convert_to(sid, 'UTF8')), 'hex'), 32) WHERE sid !~ '^[0-9a-f]{32}$';

INSERT INTO sessions (sid, user_id, created_at)
SELECT left(encode(sha256(convert_to(jti, 'UTF8')), 'hex'), 32), user_id, now() FROM refresh_tokens
WHERE NOT revoked AND expires_at > now() AND session_id IS NULL AND jti !~ '^[0-9a-f]{32}$'
    AND user_id IN (SELECT id FROM users)
ON CONFLICT DO NOTHING;
UPDATE refresh_tokens AS token SET session_id = session.id
FROM sessions AS session
WHERE token.session_id IS NULL AND token.jti !~ '^[0-9a-f]{32}$' AND NOT token.revoked
    AND session.sid = left(encode(sha256(convert_to(token.jti, 'UTF8')), 'hex'), 32)
    AND session.user_id = token.user_id;
