-- The order book by months. An order's id begins with the moment it came into the book, so its tables are partitioned by
-- it: a month's writes stay within a month's indexes, however many orders there are, and a month that nobody needs any
-- more is detached instead of deleted row by row. What is found across months stays in one piece: order_numbers,
-- order_terms, and the narrow order_members.

-- Which order has a number; it decides who is new. Its second index is what lists read, channel by channel.
CREATE TABLE order_numbers (
    channel          text        COLLATE "C" NOT NULL,
    channel_order_no text        COLLATE "C" NOT NULL,
    order_id         uuid        NOT NULL,
    placed_at        timestamptz NOT NULL,
    CONSTRAINT order_numbers_pkey PRIMARY KEY (channel, channel_order_no)
);
INSERT INTO order_numbers (channel, channel_order_no, order_id, placed_at)
SELECT channel, channel_order_no, order_id, placed_at FROM orders ORDER BY channel, channel_order_no;
CREATE INDEX order_numbers_placed ON order_numbers (channel, placed_at, order_id);
DROP INDEX orders_number, orders_channel_placed;

-- The lowest id that an order can have which comes at this moment.
CREATE FUNCTION first_order_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
-- The moment at which an order came that has this id.
CREATE FUNCTION order_id_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

-- Identities cannot be partitioned before PostgreSQL 17; a sequence can.
ALTER TABLE order_history ALTER COLUMN change_id DROP IDENTITY;
CREATE SEQUENCE order_history_changes;
SELECT setval('order_history_changes', coalesce((SELECT max(change_id) FROM order_history), 0) + 1, false);
ALTER TABLE order_history ALTER COLUMN change_id SET DEFAULT nextval('order_history_changes');

DROP TRIGGER moved_orders_are_counted ON orders;
DROP TRIGGER orders_are_counted ON orders;

-- What is there already stays where it is, as the partition of everything up to the end of this month.
DO $$
DECLARE
    parts record;
    latest timestamptz := now();
    until  uuid;
BEGIN
    latest := greatest(latest, (SELECT order_id_time(order_id) FROM orders ORDER BY order_id DESC LIMIT 1));
    until := first_order_id((date_trunc('month', latest AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
    FOR parts IN SELECT * FROM (VALUES ('orders', 50, 'order_id'), ('order_lines', 80, 'order_id, line_no'),
        ('order_history', 100, 'order_id, change_id'), ('order_events', 100, 'order_id, event_id'))
        AS t (name, fill, key)
    LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', parts.name, parts.name || '_first');
        EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', parts.name || '_first', parts.name || '_pkey',
            parts.name || '_first_pkey');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE, '
            'CONSTRAINT %I PRIMARY KEY (%s)) PARTITION BY RANGE (order_id)',
            parts.name, parts.name || '_first', parts.name || '_pkey', parts.key);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
            parts.name, parts.name || '_first', until);
        -- No order is refused because its month is not there.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', parts.name || '_default',
            parts.name, parts.fill);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I DEFAULT', parts.name, parts.name || '_default');
    END LOOP;
END $$;

CREATE TRIGGER orders_are_counted AFTER INSERT ON orders REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_orders();
CREATE TRIGGER moved_orders_are_counted AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS then_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_moved_orders();

-- Makes the next partition that is missing up to three months ahead; answers its name, or nothing when all are there. One
-- at a time, so that a single table is locked at once. The months before the last partition are never looked at again, and
-- a month whose first orders are in the default partition already stays there.
CREATE FUNCTION make_order_partition(at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    this_month timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    parts      record;
    month      timestamp;
    low        uuid;
    high       uuid;
    is_taken   boolean;
    made       text;
BEGIN
    FOR parts IN SELECT * FROM (VALUES ('orders', 50), ('order_lines', 80), ('order_history', 100), ('order_events', 100))
        AS t (name, fill)
    LOOP
        SELECT greatest(this_month, order_id_time(last.bound::uuid) AT TIME ZONE 'UTC') INTO month
        FROM (SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]+)''\)') AS bound
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parts.name::regclass) AS last
        WHERE last.bound IS NOT NULL ORDER BY last.bound DESC LIMIT 1;
        month := coalesce(month, this_month);
        WHILE month <= this_month + interval '3 months' LOOP
            low := first_order_id(month AT TIME ZONE 'UTC');
            high := first_order_id((month + interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE order_id >= $1 AND order_id < $2)', parts.name || '_default')
                INTO is_taken USING low, high;
            IF NOT is_taken THEN
                made := parts.name || to_char(month, '"_"YYYY"_"MM');
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', made, parts.name, parts.fill);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parts.name, made, low, high);
                RETURN made;
            END IF;
            month := month + interval '1 month';
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;
DO $$ BEGIN
    WHILE make_order_partition(now()) IS NOT NULL LOOP
    END LOOP;
END $$;
