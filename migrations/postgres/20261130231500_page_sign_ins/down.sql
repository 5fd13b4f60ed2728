-- Codes of the account pages, which live for a minute, become codes of providers.
ALTER TABLE sign_in_codes DROP COLUMN page_sid;
