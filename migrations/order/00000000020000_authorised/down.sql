ALTER TABLE payments
    DROP CONSTRAINT payments_never_give_back_more_than_captured,
    ADD CONSTRAINT payments_never_give_back_more_than_paid CHECK (refunded BETWEEN 0 AND amount),
    DROP COLUMN voided,
    DROP COLUMN authorised;
ALTER TABLE orders
    DROP CONSTRAINT orders_never_refund_more_than_paid,
    ADD CONSTRAINT orders_never_refund_more_than_paid CHECK (due_amount >= 0
        AND waived_amount BETWEEN 0 AND given_back_amount AND given_back_amount + due_amount <= total_amount),
    DROP COLUMN authorised_amount;
