ALTER TABLE order_lines
    DROP CONSTRAINT order_lines_repriced,
    DROP COLUMN repriced_after,
    DROP COLUMN repriced_amount;

UPDATE refunds SET cause = 'cancellation' WHERE cause = 'adjustment';
ALTER TABLE refunds
    DROP CONSTRAINT refunds_cause_check,
    ADD CONSTRAINT refunds_cause_check CHECK (cause IN ('cancellation', 'return'));
