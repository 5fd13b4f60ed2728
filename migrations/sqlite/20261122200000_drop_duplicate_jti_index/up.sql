-- The UNIQUE of refresh_tokens.jti is an index already: every refresh had two to keep. No answer
-- depends on it, so the previous release still runs.
DROP INDEX IF EXISTS idx_refresh_tokens_jti;
