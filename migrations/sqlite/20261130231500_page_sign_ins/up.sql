-- Session of the account pages that an app's sign-in continues. Null for a sign-in with a provider. The previous
-- release takes such a code for one of a provider without a second factor.
ALTER TABLE sign_in_codes ADD COLUMN page_sid VARCHAR(36);
