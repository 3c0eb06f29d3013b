-- Lists are read by channel, several channels side by side, so that a caller who may see a few never reads the others.
DROP INDEX orders_placed;
CREATE INDEX orders_channel_placed ON orders (channel, placed_at, order_id);

-- What a statement did to where orders stand: a row for each change of state it made in a channel. Rows are only ever
-- added, so that no two transactions wait for each other; a job takes them off, adds them to the counts and sorts the
-- orders into order_terms. Until then they count beside the counts, and their orders are looked at one by one.
CREATE TABLE order_moves (
    move_id            bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel            text   COLLATE "C" NOT NULL,
    -- Where they stood; none for orders that are new.
    status_before      text,
    payment_before     text,
    status             text   NOT NULL,
    payment_status     text   NOT NULL,
    moved              bigint NOT NULL CHECK (moved > 0),
    orders             uuid[] NOT NULL,
    -- The terms of their documents before, where those changed: another address has another telephone.
    terms_before       text[],
    CONSTRAINT order_moves_before CHECK ((status_before IS NULL) = (payment_before IS NULL))
);
-- Ids do not compress.
ALTER TABLE order_moves ALTER COLUMN orders SET STORAGE EXTERNAL;

-- How many orders of a channel stand where, but for what order_moves still holds.
CREATE TABLE order_counts (
    channel        text   COLLATE "C" NOT NULL,
    status         text   NOT NULL,
    payment_status text   NOT NULL,
    orders         bigint NOT NULL,
    PRIMARY KEY (channel, status, payment_status)
) WITH (fillfactor = 50);

-- By what orders are found, newest first: 'status:' and 'payment:' with the state, unless that is paid, 'sku:' with what a
-- line sold, 'store:' and 'guide:' with who is credited, 'phone:' with the last four digits of a telephone. It only
-- proposes: whoever reads it compares with the order itself.
CREATE TABLE order_terms (
    term      text        COLLATE "C" NOT NULL,
    channel   text        COLLATE "C" NOT NULL,
    placed_at timestamptz NOT NULL,
    order_id  uuid        NOT NULL,
    PRIMARY KEY (term, channel, placed_at, order_id)
);

-- The terms that stand in an order's document.
CREATE FUNCTION order_document_terms(document text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    parts  jsonb  := document::jsonb;
    terms  text[] := '{}';
    phones text[] := ARRAY[parts->'fulfilment'->'ship_to'->>'phone'];
    digits text;
    phone  text;
    buyer  jsonb;
BEGIN
    FOR buyer IN SELECT jsonb_array_elements(parts->'buyer'->'identities') LOOP
        IF buyer->>'type' = 'phone' THEN
            phones := phones || (buyer->>'value');
        END IF;
    END LOOP;
    FOREACH phone IN ARRAY phones LOOP
        digits := regexp_replace(phone, '[^0-9]', '', 'g');
        IF length(digits) >= 4 THEN
            terms := terms || ('phone:' || right(digits, 4));
        END IF;
    END LOOP;
    IF parts ? 'store' THEN
        terms := terms || ('store:' || (parts->>'store'));
    END IF;
    IF parts ? 'guide' THEN
        terms := terms || ('guide:' || (parts->>'guide'));
    END IF;
    RETURN terms;
END $$;

-- Whatever statement changes where orders stand, its transaction notes it.
CREATE FUNCTION note_new_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_moves (channel, status, payment_status, moved, orders)
    SELECT channel, status, payment_status, count(*), array_agg(order_id) FROM now_there
    GROUP BY channel, status, payment_status;
    RETURN NULL;
END $$;
CREATE TRIGGER orders_are_counted AFTER INSERT ON orders REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_orders();

CREATE FUNCTION note_moved_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_moves (channel, status_before, payment_before, status, payment_status, moved, orders, terms_before)
    SELECT n.channel, o.status, o.payment_status, n.status, n.payment_status, count(*), array_agg(n.order_id),
        t.terms_before
    FROM then_there o JOIN now_there n USING (order_id)
    CROSS JOIN LATERAL (SELECT CASE WHEN o.document <> n.document THEN order_document_terms(o.document) END) t (terms_before)
    WHERE (o.status, o.payment_status, o.document) IS DISTINCT FROM (n.status, n.payment_status, n.document)
    GROUP BY n.channel, o.status, o.payment_status, n.status, n.payment_status, t.terms_before;
    RETURN NULL;
END $$;
CREATE TRIGGER moved_orders_are_counted AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS then_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION note_moved_orders();

-- What is in the book already is counted and sorted in by the job, in steps.
INSERT INTO order_moves (channel, status, payment_status, moved, orders)
SELECT channel, status, payment_status, count(*), array_agg(order_id)
FROM (SELECT order_id, channel, status, payment_status, row_number() OVER (ORDER BY order_id) / 500 AS part FROM orders) o
GROUP BY channel, status, payment_status, part;

-- What happened to an order, as the services told it: a row for each event, added once and never changed.
CREATE TABLE order_events (
    order_id uuid        NOT NULL,
    event_id uuid        NOT NULL,
    kind     text        NOT NULL,
    at       timestamptz NOT NULL,
    source   text        NOT NULL,
    -- The event that led to it, if one did.
    cause_id uuid,
    summary  text        NOT NULL,
    PRIMARY KEY (order_id, event_id)
);
