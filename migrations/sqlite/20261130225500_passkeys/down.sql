-- Deletes all passkeys. A password marked with $portcullis-2fa$ because of a passkey stays unreadable to the
-- previous release until it is reset.
DROP INDEX users_passkey_handle_key;
ALTER TABLE users DROP COLUMN passkey_handle;
DROP TABLE used_challenges;
DROP TABLE passkeys;
