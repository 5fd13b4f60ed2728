-- What is left of an account that is being deleted stays nameless and switched off.
DROP INDEX IF EXISTS idx_users_deleted_at;
ALTER TABLE users DROP COLUMN deleted_at;
