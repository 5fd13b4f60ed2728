-- Largest id that any account ever had. Without AUTOINCREMENT, which cannot be added to an existing
-- table, SQLite reuses the id of the last account after it is deleted, and its tokens would be valid for
-- the next account. The previous release still runs, without that protection.

CREATE TABLE user_ids (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), largest INTEGER NOT NULL);
-- Accounts that were already deleted may have left refresh tokens.
INSERT INTO user_ids (id, largest) SELECT 1, max(
    coalesce((SELECT max(id) FROM users), 0),
    coalesce((SELECT max(user_id) FROM refresh_tokens WHERE typeof(user_id) = 'integer'), 0),
    coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'users'), 0)
);
CREATE TRIGGER users_largest_id AFTER DELETE ON users BEGIN
    UPDATE user_ids SET largest = max(largest, old.id) WHERE id = 1;
END;
