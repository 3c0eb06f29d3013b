-- What a buyer wants instead of what comes back: the wish as it was asked for, the order that it became, and what of the
-- return's worth paid for that.
ALTER TABLE returns
    ADD COLUMN exchange text,
    ADD COLUMN exchange_order_id uuid,
    ADD COLUMN exchange_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT returns_exchange_no_more_than_comes_back CHECK (exchange_amount BETWEEN 0 AND refund_amount),
    ADD CONSTRAINT returns_exchange_pays_for_an_order CHECK (exchange_amount = 0 OR exchange_order_id IS NOT NULL);
CREATE UNIQUE INDEX returns_exchange_order ON returns (exchange_order_id) WHERE exchange_order_id IS NOT NULL;

-- What of a refund is no money: it paid for the order of an exchange.
ALTER TABLE refunds
    ADD COLUMN exchange_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT refunds_exchange_within CHECK (exchange_amount BETWEEN 0 AND total_amount);
ALTER TABLE refund_parts
    ADD COLUMN exchange_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT refund_parts_exchange_within CHECK (exchange_amount BETWEEN 0 AND amount);
