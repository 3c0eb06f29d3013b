-- The version at which the order got another destination, until the inventory has answered that: what it told before is
-- about the old one.
ALTER TABLE orders ADD COLUMN changing bigint;
