-- A rule may hold an order before anybody hears of it.
ALTER TABLE orders DROP CONSTRAINT orders_status_check;
ALTER TABLE orders ADD CONSTRAINT orders_status_check CHECK (status IN ('received', 'held', 'sourcing', 'sourced',
    'backordered', 'unfillable', 'fulfilling', 'shipped', 'delivered', 'completed', 'cancelled'));
