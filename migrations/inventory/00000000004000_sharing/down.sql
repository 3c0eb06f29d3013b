DROP TABLE told_availability, telling, shares_used, sharing_rules;
DELETE FROM progress WHERE job IN ('sharing_rules', 'tell_availability');
ALTER TABLE changes DROP COLUMN catalog, DROP COLUMN used_skus, DROP COLUMN used_counts, DROP COLUMN used;
-- Units of one line that were counted by several shares are one row again.
UPDATE reserved_lines r SET quantity = t.quantity FROM (
    SELECT owner, line_no, sku, location, min(count_id) AS count_id, sum(quantity)::bigint AS quantity
    FROM reserved_lines GROUP BY owner, line_no, sku, location HAVING count(*) > 1
) t WHERE (r.owner, r.line_no, r.sku, r.location, r.count_id) = (t.owner, t.line_no, t.sku, t.location, t.count_id);
DELETE FROM reserved_lines r USING reserved_lines x
WHERE (x.owner, x.line_no, x.sku, x.location) = (r.owner, r.line_no, r.sku, r.location) AND x.count_id < r.count_id;
ALTER TABLE reserved_lines DROP CONSTRAINT reserved_lines_pkey;
ALTER TABLE reserved_lines DROP COLUMN count_id;
ALTER TABLE reserved_lines ADD PRIMARY KEY (owner, line_no, sku, location);
ALTER TABLE stock DROP COLUMN sells;
ALTER TABLE skus DROP COLUMN category;
DROP INDEX reservations_claimed;
UPDATE reservations SET state = 'claimed' WHERE state = 'consumed';
UPDATE reservations SET order_id = NULL WHERE state = 'released';
ALTER TABLE reservations DROP CONSTRAINT reservations_state_check;
ALTER TABLE reservations DROP CONSTRAINT reservations_check;
ALTER TABLE reservations ADD CHECK (state IN ('held', 'claimed', 'released', 'expired'));
ALTER TABLE reservations ADD CHECK ((state = 'claimed') = (order_id IS NOT NULL));
