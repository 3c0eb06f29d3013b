-- What a line's units are worth since a part of their price went back: those that had been given back before are not among
-- them.
ALTER TABLE order_lines
    ADD COLUMN repriced_after bigint NOT NULL DEFAULT 0,
    ADD COLUMN repriced_amount bigint,
    ADD CONSTRAINT order_lines_repriced CHECK (repriced_after BETWEEN 0 AND quantity
        AND repriced_amount BETWEEN 0 AND paid_amount);

ALTER TABLE refunds
    DROP CONSTRAINT refunds_cause_check,
    ADD CONSTRAINT refunds_cause_check CHECK (cause IN ('cancellation', 'return', 'adjustment'));
