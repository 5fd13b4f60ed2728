-- Back to the tables of the FastAPI application, with every account and token. Refuses where
-- numbers have outgrown its columns.

DROP INDEX IF EXISTS idx_refresh_tokens_expires_at;
DROP INDEX IF EXISTS idx_refresh_tokens_user_id;
ALTER TABLE refresh_tokens
    DROP COLUMN IF EXISTS successor_jti, DROP COLUMN IF EXISTS spent_key, DROP COLUMN IF EXISTS spent_at;
DROP INDEX IF EXISTS users_canonical_email_key;
DROP INDEX IF EXISTS idx_users_canonical_email;
ALTER TABLE users DROP COLUMN IF EXISTS email_verified_at, DROP COLUMN IF EXISTS email_case_sensitive;

ALTER TABLE refresh_tokens ALTER COLUMN id TYPE INTEGER, ALTER COLUMN user_id TYPE INTEGER;
ALTER TABLE users ALTER COLUMN id TYPE INTEGER;
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['users', 'refresh_tokens'] LOOP
        IF pg_get_serial_sequence(name, 'id') IS NOT NULL THEN
            EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence(name, 'id') || ' AS INTEGER';
        END IF;
    END LOOP;
END $$;
