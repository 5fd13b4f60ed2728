-- One-time tokens, the mails that are to be sent, and from which device a session began. Nobody
-- before knows the two tables, and the column may be null, so the previous release still runs.

CREATE TABLE one_time_tokens (
    id INTEGER NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    purpose VARCHAR(16) NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What tells apart tokens of one account and purpose: the canonical address where the token
    -- gives that address back, and nothing anywhere else. A new token takes the place of the old.
    slot VARCHAR(255) NOT NULL,
    email VARCHAR(255) NOT NULL,
    password_version BLOB NOT NULL,
    expires_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX one_time_tokens_digest_key ON one_time_tokens (digest);
CREATE UNIQUE INDEX one_time_tokens_slot_key ON one_time_tokens (user_id, purpose, slot);
-- Whose address it may become again.
CREATE INDEX idx_one_time_tokens_slot ON one_time_tokens (slot) WHERE slot <> '';
CREATE INDEX idx_one_time_tokens_expires_at ON one_time_tokens (expires_at);

-- No number is given twice: whoever was slow to send a mail must not settle another.
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    occasion VARCHAR(32) NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    email VARCHAR(255) NOT NULL,
    language VARCHAR(8) NOT NULL,
    seed BLOB NOT NULL,
    ip_address VARCHAR(45),
    user_agent VARCHAR(255),
    created_at DATETIME NOT NULL,
    due_at DATETIME NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    armed BOOLEAN DEFAULT 0 NOT NULL,
    dead_at DATETIME,
    last_error TEXT
);
CREATE INDEX idx_outbox_due_at ON outbox (due_at, id) WHERE dead_at IS NULL;
CREATE INDEX idx_outbox_dead_at ON outbox (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX idx_outbox_user_id ON outbox (user_id) WHERE user_id IS NOT NULL;

ALTER TABLE sessions ADD COLUMN device BLOB;
