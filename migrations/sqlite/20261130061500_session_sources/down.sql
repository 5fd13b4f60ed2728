-- Deletes the record of sources that signed in before.
DROP INDEX idx_sessions_source;
ALTER TABLE sessions DROP COLUMN source;
