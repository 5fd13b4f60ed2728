-- Back to the tables of the FastAPI application, with every account and token.

DROP INDEX idx_refresh_tokens_expires_at;
DROP INDEX idx_refresh_tokens_user_id;
ALTER TABLE refresh_tokens DROP COLUMN successor_jti;
ALTER TABLE refresh_tokens DROP COLUMN spent_key;
ALTER TABLE refresh_tokens DROP COLUMN spent_at;
DROP INDEX users_canonical_email_key;
DROP INDEX idx_users_canonical_email;
ALTER TABLE users DROP COLUMN email_verified_at;
ALTER TABLE users DROP COLUMN email_case_sensitive;
