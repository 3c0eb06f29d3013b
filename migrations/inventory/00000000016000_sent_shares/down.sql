ALTER TABLE sent_lines DROP CONSTRAINT sent_lines_pkey;
-- Lines that differ in their share alone become one.
UPDATE sent_lines s SET quantity = (SELECT sum(quantity) FROM sent_lines o
        WHERE (o.fulfilment, o.line_no, o.sku) = (s.fulfilment, s.line_no, s.sku))
    WHERE count_id = (SELECT min(count_id) FROM sent_lines o
        WHERE (o.fulfilment, o.line_no, o.sku) = (s.fulfilment, s.line_no, s.sku));
DELETE FROM sent_lines s USING sent_lines o
    WHERE (o.fulfilment, o.line_no, o.sku) = (s.fulfilment, s.line_no, s.sku) AND o.count_id < s.count_id;
ALTER TABLE sent_lines DROP COLUMN count_id, ADD PRIMARY KEY (fulfilment, line_no, sku);
