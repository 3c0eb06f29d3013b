//! PostgreSQL: transactions, outbox, inbox, idempotency, batcher.
