-- Back to a service without mail: what was to be sent is lost, and so are the tokens of what was.
ALTER TABLE sessions DROP COLUMN device;
DROP TABLE outbox;
DROP TABLE one_time_tokens;
