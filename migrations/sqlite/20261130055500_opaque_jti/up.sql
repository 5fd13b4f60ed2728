-- The jti of an adopted token may be any text, but the sid of a session is 32 hex digits. So if a
-- token's jti is not 32 hex digits, the token's row names its session in session_id. The previous
-- release rejects such tokens, and still runs.

INSERT INTO sessions (sid, user_id, created_at)
SELECT jti, user_id, strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM refresh_tokens
WHERE NOT revoked AND expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') AND session_id IS NULL
    AND (length(jti) <> 32 OR jti GLOB '*[^0-9a-f]*') AND user_id IN (SELECT id FROM users)
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE sid = jti);
-- Also links the sessions that the previous release created, with the unchanged jti as sid.
UPDATE refresh_tokens SET session_id =
    (SELECT id FROM sessions WHERE sid = jti AND sessions.user_id = refresh_tokens.user_id)
WHERE session_id IS NULL AND (length(jti) <> 32 OR jti GLOB '*[^0-9a-f]*');
UPDATE sessions SET sid = lower(hex(randomblob(16))) WHERE length(sid) <> 32 OR sid GLOB '*[^0-9a-f]*';
