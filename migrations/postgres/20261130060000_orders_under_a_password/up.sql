-- Version of the account's password when an email with a link is queued: a new password deletes the
-- queued email as well as the link. Null if the email is bound to no password, or was queued by the
-- previous release, which still runs.
ALTER TABLE outbox ADD COLUMN IF NOT EXISTS password_version BYTEA;
CREATE INDEX IF NOT EXISTS idx_outbox_password_version ON outbox (password_version) WHERE password_version IS NOT NULL;
