DROP TABLE payment_deadlines;
UPDATE fulfilments SET status = 'offered' WHERE status = 'waiting';
ALTER TABLE fulfilments
    DROP CONSTRAINT fulfilments_status_check,
    ADD CONSTRAINT fulfilments_status_check CHECK (status IN ('offered', 'accepted', 'picked', 'packed', 'shipped',
        'delivered', 'rejected', 'cancelled', 'ready', 'collected', 'lapsed'));
ALTER TABLE orders
    DROP CONSTRAINT orders_never_refund_more_than_paid,
    DROP COLUMN payment_terms,
    DROP COLUMN due_amount,
    DROP COLUMN waived_amount,
    DROP CONSTRAINT orders_payment_status_check;
UPDATE orders SET payment_status = 'unpaid' WHERE payment_status = 'partially_paid';
ALTER TABLE orders ADD CONSTRAINT orders_payment_status_check CHECK (payment_status IN ('unpaid', 'authorised', 'paid',
    'partially_refunded', 'refunded'));
