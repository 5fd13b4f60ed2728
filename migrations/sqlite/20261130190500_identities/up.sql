-- Sign-in with providers: linked identities, sign-ins under way, and accounts without a password. The
-- previous release knows none of this and still runs. It deletes accounts, and their rows here with them.

CREATE TABLE identities (
    id INTEGER NOT NULL PRIMARY KEY,
    identity_id VARCHAR(32) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Compared byte for byte, as everywhere in SQLite unless a collation is named.
    issuer VARCHAR(512) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    provider VARCHAR(32) NOT NULL,
    email VARCHAR(254),
    created_at DATETIME NOT NULL,
    last_used_at DATETIME
);
CREATE UNIQUE INDEX identities_identity_id_key ON identities (identity_id);
CREATE UNIQUE INDEX identities_issuer_subject_key ON identities (issuer, subject);
CREATE INDEX idx_identities_user_id ON identities (user_id);

-- A flow lives for 10 minutes, so `portcullis keys reencrypt` and `doctor` skip what is sealed here.
CREATE TABLE sign_in_flows (
    id INTEGER NOT NULL PRIMARY KEY,
    state_digest BLOB NOT NULL,
    browser BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires_at DATETIME NOT NULL,
    spent_at DATETIME
);
CREATE UNIQUE INDEX sign_in_flows_state_digest_key ON sign_in_flows (state_digest);
CREATE INDEX idx_sign_in_flows_expires_at ON sign_in_flows (expires_at);

CREATE TABLE sign_in_codes (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Session that the code begins. It does not exist until then.
    sid VARCHAR(36) NOT NULL,
    challenge BLOB NOT NULL,
    redirect_uri TEXT NOT NULL,
    multi_factor BOOLEAN NOT NULL,
    expires_at DATETIME NOT NULL,
    used_at DATETIME
);
CREATE UNIQUE INDEX sign_in_codes_digest_key ON sign_in_codes (digest);
CREATE INDEX idx_sign_in_codes_user_id ON sign_in_codes (user_id);
CREATE INDEX idx_sign_in_codes_expires_at ON sign_in_codes (expires_at);

CREATE TABLE used_id_tokens (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    expires_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX used_id_tokens_digest_key ON used_id_tokens (digest);
CREATE INDEX idx_used_id_tokens_expires_at ON used_id_tokens (expires_at);

-- An account without a password has a hash of random bytes in hashed_password, and the same text here,
-- without the mark $portcullis-2fa$. A program that does not know this column and sets a password makes the
-- two differ.
ALTER TABLE users ADD COLUMN no_password_hash VARCHAR(255);
