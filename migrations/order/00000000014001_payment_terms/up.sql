-- When an order is paid, and what of it is still due. What goes back for units that are not paid yet is waived. So
-- total - due - waived is what the buyer has paid, and given back - waived what of that was refunded.
ALTER TABLE orders
    ADD COLUMN payment_terms text NOT NULL DEFAULT 'settled' CHECK (payment_terms IN ('settled', 'prepaid', 'presale',
        'on_delivery')),
    ADD COLUMN due_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN waived_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT orders_never_refund_more_than_paid CHECK (due_amount >= 0
        AND waived_amount BETWEEN 0 AND given_back_amount AND given_back_amount + due_amount <= total_amount),
    DROP CONSTRAINT orders_payment_status_check,
    ADD CONSTRAINT orders_payment_status_check CHECK (payment_status IN ('unpaid', 'authorised', 'partially_paid', 'paid',
        'partially_refunded', 'refunded'));

-- Goods are promised before they are paid; a location is asked when they are.
ALTER TABLE fulfilments
    DROP CONSTRAINT fulfilments_status_check,
    ADD CONSTRAINT fulfilments_status_check CHECK (status IN ('waiting', 'offered', 'accepted', 'picked', 'packed', 'shipped',
        'delivered', 'rejected', 'cancelled', 'ready', 'collected', 'lapsed'));

-- Until when orders are to be paid that are paid in advance and are not. Of a presale the deposit comes first.
CREATE TABLE payment_deadlines (
    order_id       uuid        NOT NULL PRIMARY KEY,
    due_at         timestamptz NOT NULL,
    deposit_amount bigint      CHECK (deposit_amount > 0),
    balance_by     timestamptz,
    CONSTRAINT payment_deadlines_of_presales CHECK ((deposit_amount IS NULL) = (balance_by IS NULL))
);
CREATE INDEX payment_deadlines_due ON payment_deadlines (due_at, order_id);
