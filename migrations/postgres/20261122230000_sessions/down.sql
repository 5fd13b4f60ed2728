-- Back to tokens without sessions: whoever was logged out everywhere stays so, for ending a
-- session revokes its live token.
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens (expires_at);
UPDATE refresh_tokens SET revoked = true
WHERE NOT revoked AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NOT NULL);
ALTER TABLE refresh_tokens DROP COLUMN server_spent_at;
ALTER TABLE refresh_tokens DROP COLUMN session_id;
DROP TABLE session_events;
DROP TABLE sessions;
