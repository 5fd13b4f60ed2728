-- Queued emails are no longer bound to a password.
DROP INDEX IF EXISTS idx_outbox_password_version;
ALTER TABLE outbox DROP COLUMN password_version;
