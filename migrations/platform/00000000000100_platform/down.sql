DROP TABLE dead_letters;
DROP TABLE idempotency;
DROP TABLE inbox;
DROP TABLE outbox;
