ALTER TABLE orders DROP COLUMN changing;
