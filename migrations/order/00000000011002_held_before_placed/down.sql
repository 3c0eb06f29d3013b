UPDATE orders SET status = 'received' WHERE status = 'held';
ALTER TABLE orders DROP CONSTRAINT orders_status_check;
ALTER TABLE orders ADD CONSTRAINT orders_status_check CHECK (status IN ('received', 'sourcing', 'sourced', 'backordered',
    'unfillable', 'fulfilling', 'shipped', 'delivered', 'completed', 'cancelled'));
