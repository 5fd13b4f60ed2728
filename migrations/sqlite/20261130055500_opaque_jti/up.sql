-- The jti of an adopted token may be any text. A session's sid is 32 hex digits, so the session of
-- a token whose jti is spelled otherwise cannot bear it: the token's row names the session instead.
-- The previous release refuses such tokens, and still runs.

INSERT INTO sessions (sid, user_id, created_at)
SELECT jti, user_id, strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM refresh_tokens
WHERE NOT revoked AND expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') AND session_id IS NULL
    AND (length(jti) <> 32 OR jti GLOB '*[^0-9a-f]*') AND user_id IN (SELECT id FROM users)
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE sid = jti);
-- Also those that the previous release began: they bear the jti as it is spelled.
UPDATE refresh_tokens SET session_id =
    (SELECT id FROM sessions WHERE sid = jti AND sessions.user_id = refresh_tokens.user_id)
WHERE session_id IS NULL AND (length(jti) <> 32 OR jti GLOB '*[^0-9a-f]*');
UPDATE sessions SET sid = lower(hex(randomblob(16))) WHERE length(sid) <> 32 OR sid GLOB '*[^0-9a-f]*';
