-- Passkeys. The previous release knows none of this and still runs. It deletes accounts, and their rows here
-- with them.

CREATE TABLE passkeys (
    id INTEGER NOT NULL PRIMARY KEY,
    passkey_id VARCHAR(32) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- At most 1,023 bytes.
    credential_id BLOB NOT NULL,
    -- COSE_Key, as the authenticator encoded it.
    public_key BLOB NOT NULL,
    -- Number in the COSE registry.
    algorithm INTEGER NOT NULL,
    rp_id VARCHAR(255) NOT NULL,
    counter INTEGER NOT NULL,
    -- Flags of the last response: 8 bits.
    flags INTEGER NOT NULL,
    discoverable BOOLEAN NOT NULL,
    aaguid BLOB NOT NULL,
    -- Names, separated by spaces.
    transports VARCHAR(264) NOT NULL,
    name VARCHAR(64) NOT NULL,
    second_factor BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    last_used_at DATETIME
);
CREATE UNIQUE INDEX passkeys_passkey_id_key ON passkeys (passkey_id);
CREATE UNIQUE INDEX passkeys_credential_id_key ON passkeys (credential_id);
CREATE INDEX idx_passkeys_user_id ON passkeys (user_id, second_factor);

-- Random id of the account towards authenticators. Null until its first passkey.
ALTER TABLE users ADD COLUMN passkey_handle BLOB;
CREATE UNIQUE INDEX users_passkey_handle_key ON users (passkey_handle);

CREATE TABLE used_challenges (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    expires_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX used_challenges_digest_key ON used_challenges (digest);
CREATE INDEX idx_used_challenges_expires_at ON used_challenges (expires_at);
