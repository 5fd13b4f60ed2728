-- Forgets which session set up identities, passkeys and authenticator apps.
ALTER TABLE totp_factors DROP COLUMN set_up_by;
ALTER TABLE passkeys DROP COLUMN set_up_by;
ALTER TABLE identities DROP COLUMN set_up_by;
