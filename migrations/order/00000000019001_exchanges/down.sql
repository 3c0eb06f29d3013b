ALTER TABLE refund_parts DROP COLUMN exchange_amount;
ALTER TABLE refunds DROP COLUMN exchange_amount;
DROP INDEX returns_exchange_order;
ALTER TABLE returns DROP COLUMN exchange, DROP COLUMN exchange_order_id, DROP COLUMN exchange_amount;
