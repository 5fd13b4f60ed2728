-- Second factors: authenticator apps, recovery codes, and devices that need no second factor for a while.
-- The previous release knows none of these tables and still runs. It deletes accounts, and their rows
-- here with them.

CREATE TABLE totp_factors (
    id INTEGER NOT NULL PRIMARY KEY,
    -- Public id, which the encrypted secret is bound to.
    factor_id VARCHAR(32) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name VARCHAR(64) NOT NULL,
    secret BLOB NOT NULL,
    -- Last accepted time step. Null until the factor is confirmed.
    last_step INTEGER,
    created_at DATETIME NOT NULL,
    confirmed_at DATETIME,
    last_used_at DATETIME
);
CREATE UNIQUE INDEX totp_factors_factor_id_key ON totp_factors (factor_id);
-- One pending factor per account.
CREATE UNIQUE INDEX totp_factors_pending_key ON totp_factors (user_id) WHERE confirmed_at IS NULL;
CREATE INDEX idx_totp_factors_user_id ON totp_factors (user_id, confirmed_at);
CREATE INDEX idx_totp_factors_created_at ON totp_factors (created_at) WHERE confirmed_at IS NULL;

CREATE TABLE recovery_codes (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    used_at DATETIME
);
CREATE UNIQUE INDEX recovery_codes_digest_key ON recovery_codes (digest);
CREATE INDEX idx_recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE trusted_devices (
    id INTEGER NOT NULL PRIMARY KEY,
    device_id VARCHAR(32) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device BLOB NOT NULL,
    ip_address VARCHAR(45),
    user_agent VARCHAR(255),
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX trusted_devices_device_id_key ON trusted_devices (device_id);
CREATE UNIQUE INDEX trusted_devices_user_id_device_key ON trusted_devices (user_id, device);
CREATE INDEX idx_trusted_devices_expires_at ON trusted_devices (expires_at);
