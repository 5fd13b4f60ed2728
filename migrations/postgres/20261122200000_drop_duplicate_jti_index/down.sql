-- The index that the FastAPI application made; nothing is lost.
CREATE INDEX idx_refresh_tokens_jti ON refresh_tokens (jti);
