-- When an order is paid, and what of it is still due. What goes back for units that are not paid yet is waived. So
-- total - due - waived is what the buyer has paid, and given back - waived what of that was refunded.
ALTER TABLE orders
    ADD COLUMN payment_terms text NOT NULL DEFAULT 'settled' CHECK (payment_terms IN ('settled', 'on_delivery')),
    ADD COLUMN due_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN waived_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT orders_never_refund_more_than_paid CHECK (due_amount >= 0
        AND waived_amount BETWEEN 0 AND given_back_amount AND given_back_amount + due_amount <= total_amount),
    DROP CONSTRAINT orders_payment_status_check,
    ADD CONSTRAINT orders_payment_status_check CHECK (payment_status IN ('unpaid', 'authorised', 'partially_paid', 'paid',
        'partially_refunded', 'refunded'));
