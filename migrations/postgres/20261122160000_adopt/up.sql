-- Takes over the tables of the FastAPI application as they are, or makes them, and adds what is
-- missing. That application goes on working on the result.

CREATE TABLE IF NOT EXISTS users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_users_email ON users (email);

CREATE TABLE IF NOT EXISTS refresh_tokens (
    id SERIAL PRIMARY KEY,
    jti VARCHAR(36) NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id),
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_jti ON refresh_tokens (jti);

-- A busy service uses up 2^31 refresh tokens. What is wide enough is left alone: a view on a column
-- keeps its type from being set, even to the same.
DO $$
DECLARE
    wanted RECORD;
BEGIN
    FOR wanted IN
        SELECT name, attname FROM (VALUES ('users', 'id'), ('refresh_tokens', 'id'), ('refresh_tokens', 'user_id'))
            AS wanted (name, attname)
        JOIN pg_attribute USING (attname) WHERE attrelid = name::regclass AND atttypid <> 'bigint'::regtype
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE BIGINT', wanted.name, wanted.attname);
    END LOOP;
    FOR wanted IN SELECT name FROM unnest(ARRAY['users', 'refresh_tokens']) AS name LOOP
        IF pg_get_serial_sequence(wanted.name, 'id') IS NOT NULL THEN
            EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence(wanted.name, 'id') || ' AS BIGINT';
        END IF;
    END LOOP;
END $$;

-- Accounts adopted with addresses that differ by ASCII case alone keep theirs; of all others an
-- address is unique in any case. Under the collation "C" lower() folds ASCII letters only.
CREATE INDEX IF NOT EXISTS idx_users_canonical_email ON users (lower(email COLLATE "C"));
ALTER TABLE users ADD COLUMN IF NOT EXISTS email_case_sensitive BOOLEAN DEFAULT false NOT NULL;
UPDATE users SET email_case_sensitive = true
WHERE lower(email COLLATE "C") IN (
    SELECT lower(email COLLATE "C") FROM users GROUP BY lower(email COLLATE "C") HAVING count(*) > 1
);
CREATE UNIQUE INDEX IF NOT EXISTS users_canonical_email_key ON users (lower(email COLLATE "C"))
WHERE NOT email_case_sensitive;

ALTER TABLE users ADD COLUMN IF NOT EXISTS email_verified_at TIMESTAMP WITH TIME ZONE;

-- How a token was spent. A spent token stays revoked for the application's eyes.
ALTER TABLE refresh_tokens ADD COLUMN IF NOT EXISTS spent_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE refresh_tokens ADD COLUMN IF NOT EXISTS spent_key BYTEA;
ALTER TABLE refresh_tokens ADD COLUMN IF NOT EXISTS successor_jti VARCHAR(36);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_user_id ON refresh_tokens (user_id);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_expires_at ON refresh_tokens (expires_at);
