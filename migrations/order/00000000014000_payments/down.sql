DROP TABLE refund_parts;
DROP TABLE refunds;
DROP TABLE payments;
