UPDATE orders SET status = 'backordered' WHERE status = 'unfillable';
ALTER TABLE orders DROP COLUMN unfillable;
