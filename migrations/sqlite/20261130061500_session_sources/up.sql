-- The source that a session began from, as a keyed hash for one account and one password: whether a
-- source signed in to an account before is one look into this index, known account or not.
ALTER TABLE sessions ADD COLUMN source BLOB;
CREATE INDEX idx_sessions_source ON sessions (source) WHERE source IS NOT NULL;
