-- Orders that locations work on are looked over once a day: `asked_at` is when that was last.
CREATE INDEX order_stays_worked_on ON order_stays (asked_at, order_id) WHERE status = 'fulfilling';
