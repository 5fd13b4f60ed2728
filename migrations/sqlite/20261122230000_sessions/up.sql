-- Sessions, and what happened to each. A refresh token that was stored without a session belongs
-- to the one that bears its identifier: the tokens that are alive now get theirs by one statement,
-- which does not touch them, and the release before goes on adding tokens without.

CREATE TABLE sessions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    sid VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at DATETIME NOT NULL,
    ended_at DATETIME,
    end_reason VARCHAR(16),
    ip_address VARCHAR(45),
    user_agent VARCHAR(255)
);
INSERT INTO sessions (sid, user_id, created_at)
SELECT jti, user_id, strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM refresh_tokens
WHERE NOT revoked AND expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') AND user_id IN (SELECT id FROM users)
    AND length(jti) = 32 AND jti NOT GLOB '*[^0-9a-f]*';
CREATE UNIQUE INDEX sessions_sid_key ON sessions (sid);
CREATE INDEX idx_sessions_user_id ON sessions (user_id, ended_at);

ALTER TABLE refresh_tokens ADD COLUMN session_id INTEGER;
-- When it was spent by the server's clock: PostgreSQL's, which all share. Processes that share a
-- file have one clock anyway.
ALTER TABLE refresh_tokens ADD COLUMN server_spent_at DATETIME;

-- No foreign key from tokens and events to their session: each would cost a look-up at every
-- refresh. Whoever deletes a session deletes its events first.
CREATE TABLE session_events (
    id INTEGER NOT NULL PRIMARY KEY,
    session_id INTEGER NOT NULL,
    at DATETIME NOT NULL,
    kind VARCHAR(16) NOT NULL,
    ip_address VARCHAR(45),
    user_agent VARCHAR(255)
);
CREATE INDEX idx_session_events_session_id ON session_events (session_id, id);
-- How often something was refused, without what is written at every refresh.
CREATE INDEX idx_session_events_kind ON session_events (session_id, kind) WHERE kind <> 'rotated';

-- Nothing looks for tokens by their end any more: purging goes by their numbers. Every refresh
-- had this index to keep, and has that of its event instead.
DROP INDEX IF EXISTS idx_refresh_tokens_expires_at;
