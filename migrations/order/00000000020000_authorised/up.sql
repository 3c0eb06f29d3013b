-- Money that a payment promises and that was not taken yet. It covers the order, so that nothing of it is due, but nobody has
-- paid it: total - due - waived - authorised is what the buyer has paid.
ALTER TABLE orders
    ADD COLUMN authorised_amount bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT orders_never_refund_more_than_paid,
    ADD CONSTRAINT orders_never_refund_more_than_paid CHECK (due_amount >= 0 AND authorised_amount >= 0
        AND waived_amount BETWEEN 0 AND given_back_amount
        AND given_back_amount + due_amount + authorised_amount <= total_amount);

-- What of a payment is authorised still, and what was authorised and will not be taken. The rest is captured.
ALTER TABLE payments
    ADD COLUMN authorised bigint NOT NULL DEFAULT 0,
    ADD COLUMN voided bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT payments_never_give_back_more_than_paid,
    ADD CONSTRAINT payments_never_give_back_more_than_captured CHECK (authorised >= 0 AND voided >= 0
        AND refunded BETWEEN 0 AND amount - authorised - voided);
