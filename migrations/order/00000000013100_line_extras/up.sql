-- What few lines have: coupons, and the like, as JSON; null where a line has nothing of it.
ALTER TABLE order_lines ADD COLUMN extras text;
