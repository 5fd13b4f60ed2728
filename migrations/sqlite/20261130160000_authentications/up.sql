-- When and how the user of a session was last authenticated: names of RFC 8176, separated by spaces.
-- Null for sessions of earlier releases and of adopted tokens.
ALTER TABLE sessions ADD COLUMN authenticated_at DATETIME;
ALTER TABLE sessions ADD COLUMN methods VARCHAR(64);
