-- When and how the user of a session was last authenticated: names of RFC 8176, separated by spaces.
-- Null for sessions of earlier releases and of adopted tokens.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS authenticated_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS methods VARCHAR(64);
