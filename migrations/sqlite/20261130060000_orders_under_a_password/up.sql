-- The password that an account has when a mail with a link is ordered: a new password takes away
-- the order as well as the link. Null for what is bound to none, or was ordered by the release
-- before, which still runs.
ALTER TABLE outbox ADD COLUMN password_version BLOB;
CREATE INDEX idx_outbox_password_version ON outbox (password_version) WHERE password_version IS NOT NULL;
