-- Session that set up an identity, a passkey or an authenticator app: the first verification of an email address removes
-- what other browsers set up. Null for earlier rows, for those of the previous release, and if a sign-in set it up.
ALTER TABLE identities ADD COLUMN set_up_by VARCHAR(36);
ALTER TABLE passkeys ADD COLUMN set_up_by VARCHAR(36);
ALTER TABLE totp_factors ADD COLUMN set_up_by VARCHAR(36);
