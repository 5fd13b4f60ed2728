-- Since when an account is being deleted: it has no name any more, and its rows go a few at a time.
-- The release before sees one that is switched off.
ALTER TABLE users ADD COLUMN deleted_at DATETIME;
CREATE INDEX idx_users_deleted_at ON users (deleted_at) WHERE deleted_at IS NOT NULL;
