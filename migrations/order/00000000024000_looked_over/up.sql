-- Orders of which something is under way or waits are looked over once a day: `asked_at` is when that was last.
CREATE INDEX order_stays_others ON order_stays (asked_at, order_id)
    WHERE status IN ('fulfilling', 'backordered', 'unfillable');
