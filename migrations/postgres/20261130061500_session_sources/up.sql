-- Source from which a session was started, as a keyed hash for one account and one password. One lookup
-- in this index shows whether a source signed in to an account before, and is the same if the account
-- does not exist.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS source BYTEA;
CREATE INDEX IF NOT EXISTS idx_sessions_source ON sessions (source) WHERE source IS NOT NULL;
