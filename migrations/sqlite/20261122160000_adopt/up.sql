-- Takes over the tables of the FastAPI application as they are, or makes them, and adds what is
-- missing. That application goes on working on the result.

CREATE TABLE IF NOT EXISTS users (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN DEFAULT 1 NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    UNIQUE (email)
);
CREATE INDEX IF NOT EXISTS idx_users_email ON users (email);

CREATE TABLE IF NOT EXISTS refresh_tokens (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    jti VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    expires_at DATETIME NOT NULL,
    revoked BOOLEAN DEFAULT 0 NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    UNIQUE (jti),
    FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_jti ON refresh_tokens (jti);

-- Accounts adopted with addresses that differ by ASCII case alone keep theirs; of all others an
-- address is unique in any case. SQLite's lower() folds ASCII letters only.
CREATE INDEX IF NOT EXISTS idx_users_canonical_email ON users (lower(email));
ALTER TABLE users ADD COLUMN email_case_sensitive BOOLEAN DEFAULT 0 NOT NULL;
UPDATE users SET email_case_sensitive = 1
WHERE lower(email) IN (SELECT lower(email) FROM users GROUP BY lower(email) HAVING count(*) > 1);
CREATE UNIQUE INDEX IF NOT EXISTS users_canonical_email_key ON users (lower(email)) WHERE NOT email_case_sensitive;

ALTER TABLE users ADD COLUMN email_verified_at DATETIME;

-- How a token was spent. A spent token stays revoked for the application's eyes.
ALTER TABLE refresh_tokens ADD COLUMN spent_at DATETIME;
ALTER TABLE refresh_tokens ADD COLUMN spent_key BLOB;
ALTER TABLE refresh_tokens ADD COLUMN successor_jti VARCHAR(36);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_user_id ON refresh_tokens (user_id);
CREATE INDEX IF NOT EXISTS idx_refresh_tokens_expires_at ON refresh_tokens (expires_at);
