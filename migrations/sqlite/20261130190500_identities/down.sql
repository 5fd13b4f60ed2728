-- Deletes all linked identities. An account without a password needs a password reset then.
ALTER TABLE users DROP COLUMN no_password_hash;
DROP TABLE used_id_tokens;
DROP TABLE sign_in_codes;
DROP TABLE sign_in_flows;
DROP TABLE identities;
