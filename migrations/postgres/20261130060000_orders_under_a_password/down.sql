-- What is ordered is bound to no password any more.
DROP INDEX IF EXISTS idx_outbox_password_version;
ALTER TABLE outbox DROP COLUMN password_version;
