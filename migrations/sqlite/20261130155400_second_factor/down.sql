-- Deletes all second factors. A password marked with $portcullis-2fa$ stays unreadable to the previous
-- release until it is reset.
DROP TABLE trusted_devices;
DROP TABLE recovery_codes;
DROP TABLE totp_factors;
