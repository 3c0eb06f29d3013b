ALTER TABLE orders
    DROP CONSTRAINT orders_never_refund_more_than_paid,
    DROP COLUMN payment_terms,
    DROP COLUMN due_amount,
    DROP COLUMN waived_amount,
    DROP CONSTRAINT orders_payment_status_check;
UPDATE orders SET payment_status = 'unpaid' WHERE payment_status = 'partially_paid';
ALTER TABLE orders ADD CONSTRAINT orders_payment_status_check CHECK (payment_status IN ('unpaid', 'authorised', 'paid',
    'partially_refunded', 'refunded'));
