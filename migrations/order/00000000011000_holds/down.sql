DROP TABLE order_holds;
ALTER TABLE orders DROP COLUMN held;
