-- All months in one piece again, which copies them.
DROP FUNCTION make_order_partition;
ALTER TABLE orders RENAME TO parted;
CREATE TABLE orders (LIKE parted INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (fillfactor = 50);
INSERT INTO orders SELECT * FROM parted;
DROP TABLE parted;
ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY (order_id);
CREATE UNIQUE INDEX orders_number ON orders (channel, channel_order_no);
CREATE INDEX orders_channel_placed ON orders (channel, placed_at, order_id);
CREATE TRIGGER orders_are_counted AFTER INSERT ON orders REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_orders();
CREATE TRIGGER moved_orders_are_counted AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS then_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_moved_orders();

ALTER TABLE order_lines RENAME TO parted;
CREATE TABLE order_lines (LIKE parted INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (fillfactor = 80);
INSERT INTO order_lines SELECT * FROM parted;
DROP TABLE parted;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line_no);

ALTER TABLE order_history RENAME TO parted;
CREATE TABLE order_history (LIKE parted INCLUDING CONSTRAINTS INCLUDING STORAGE);
INSERT INTO order_history SELECT * FROM parted;
DROP TABLE parted;
DROP SEQUENCE order_history_changes;
ALTER TABLE order_history ADD CONSTRAINT order_history_pkey PRIMARY KEY (order_id, change_id),
    ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('order_history', 'change_id'),
    coalesce((SELECT max(change_id) FROM order_history), 0) + 1, false);

ALTER TABLE order_events RENAME TO parted;
CREATE TABLE order_events (LIKE parted INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
INSERT INTO order_events SELECT * FROM parted;
DROP TABLE parted;
ALTER TABLE order_events ADD CONSTRAINT order_events_pkey PRIMARY KEY (order_id, event_id);

DROP FUNCTION order_id_time, first_order_id;
DROP TABLE order_numbers;
