-- Sources that signed in before are known no more.
DROP INDEX idx_sessions_source;
ALTER TABLE sessions DROP COLUMN source;
