-- Tax that comes on top of prices, as in the United States. Tax that prices hold stands in the lines' extras and changes nothing.
ALTER TABLE orders
    ADD COLUMN added_tax_amount bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT orders_amounts,
    ADD CONSTRAINT orders_amounts CHECK (list_amount >= 0 AND discount_amount >= 0 AND freight_amount >= 0
        AND added_tax_amount >= 0 AND list_amount - discount_amount + added_tax_amount + freight_amount = total_amount);
ALTER TABLE order_lines
    ADD COLUMN added_tax_amount bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT order_lines_amounts,
    ADD CONSTRAINT order_lines_amounts CHECK (paid_amount >= 0 AND added_tax_amount >= 0
        AND list_amount - discount_amount + added_tax_amount = paid_amount AND own_discount BETWEEN 0 AND discount_amount);
