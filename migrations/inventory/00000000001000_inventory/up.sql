-- One stock pool. Codes compare byte by byte (COLLATE "C"), as the program compares them.

-- Warehouses, stores and dealers. A location is never deleted: an inactive one takes no part.
CREATE TABLE locations (
    code                   text COLLATE "C" PRIMARY KEY,
    name                   text NOT NULL,
    kind                   text NOT NULL CHECK (kind IN ('warehouse', 'store', 'dealer')),
    owner                  text,
    latitude_microdegrees  integer NOT NULL CHECK (latitude_microdegrees BETWEEN -90000000 AND 90000000),
    longitude_microdegrees integer NOT NULL CHECK (longitude_microdegrees BETWEEN -180000000 AND 180000000),
    ships                  boolean NOT NULL,
    hands_over             boolean NOT NULL,
    takes_returns          boolean NOT NULL,
    priority               integer NOT NULL,
    active                 boolean NOT NULL,
    -- What no statement asks for: address, opening hours, cut-off, handling time, daily capacity.
    details                text NOT NULL,
    version                bigint NOT NULL
);

-- What may be stocked, copied from the product service; a bundle sells its parts.
CREATE TABLE skus (
    sku     text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL
);
CREATE TABLE bundle_parts (
    sku      text COLLATE "C" NOT NULL REFERENCES skus,
    part     text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sku, part)
);

-- Balances. Every change is one guarded UPDATE of all rows a transaction touches; room is left on each page so that the
-- new version of a row stays on it and no index is written.
CREATE TABLE stock (
    sku         text COLLATE "C" NOT NULL,
    location    text COLLATE "C" NOT NULL REFERENCES locations,
    on_hand     bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    safety      bigint NOT NULL DEFAULT 0 CHECK (safety >= 0),
    quarantined bigint NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    incoming    bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    version     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sku, location),
    CONSTRAINT stock_promises_are_on_hand CHECK (reserved + quarantined <= on_hand)
) WITH (fillfactor = 70);
CREATE INDEX stock_by_location ON stock (location, sku);

-- Σ of what each SKU's locations can promise, kept with every change so that it is never summed when asked for.
CREATE TABLE availability (
    sku       text COLLATE "C" PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0),
    version   bigint NOT NULL
) WITH (fillfactor = 70);

-- The ledger of units: each row also carries the balance after it, so that the chain can be proved step by step.
CREATE TABLE movements (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku               text COLLATE "C" NOT NULL,
    location          text COLLATE "C" NOT NULL,
    kind              text NOT NULL CHECK (kind IN
        ('receipt', 'shipment', 'pos_sale', 'return', 'transfer_out', 'transfer_in', 'adjustment', 'count', 'damage')),
    on_hand           bigint NOT NULL,
    quarantined       bigint NOT NULL,
    on_hand_after     bigint NOT NULL CHECK (on_hand_after >= 0),
    quarantined_after bigint NOT NULL CHECK (quarantined_after >= 0),
    reason            text NOT NULL,
    reference         text,
    actor             text NOT NULL,
    at                timestamptz NOT NULL,
    CHECK (on_hand <> 0 OR quarantined <> 0)
);
CREATE INDEX movements_of_stock ON movements (sku, location, id);

CREATE FUNCTION movements_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'movements are never changed: a correction is a new movement';
END $$;
CREATE TRIGGER movements_only_grow BEFORE UPDATE OR DELETE ON movements
    FOR EACH STATEMENT EXECUTE FUNCTION movements_only_grow();
CREATE TRIGGER movements_are_not_truncated BEFORE TRUNCATE ON movements
    FOR EACH STATEMENT EXECUTE FUNCTION movements_only_grow();

-- What each transaction changed, in the order of commits: writers of stock hold one lock, so `seq` has no stragglers.
-- Every in-memory picture of the pool is brought up to date from here.
CREATE TABLE changes (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at        timestamptz NOT NULL,
    locations_changed boolean NOT NULL DEFAULT false,
    rules_changed boolean NOT NULL DEFAULT false,
    skus      text[] NOT NULL DEFAULT '{}',
    locations text[] NOT NULL DEFAULT '{}',
    on_hand   bigint[] NOT NULL DEFAULT '{}',
    reserved  bigint[] NOT NULL DEFAULT '{}',
    available bigint[] NOT NULL DEFAULT '{}',
    totalled  text[] NOT NULL DEFAULT '{}',
    totals    bigint[] NOT NULL DEFAULT '{}',
    versions  bigint[] NOT NULL DEFAULT '{}'
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
-- Never empty: the newest row tells a picture of the pool that it has missed nothing.
INSERT INTO changes (at) VALUES (now());

-- How far a job has read: changes told, movements proved.
CREATE TABLE progress (
    job  text PRIMARY KEY,
    upto bigint NOT NULL
);
INSERT INTO progress (job, upto) VALUES ('tell_stock', 0), ('prove_movements', 0);

-- The balance up to which the running proof has come, in the order of SKU and location; one row.
CREATE TABLE proved (
    sku      text COLLATE "C" NOT NULL DEFAULT '',
    location text COLLATE "C" NOT NULL DEFAULT ''
);
INSERT INTO proved DEFAULT VALUES;

-- Holds asked for over the API, as they were granted.
CREATE TABLE reservations (
    id         uuid PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('held', 'claimed', 'released', 'expired')),
    channel    text NOT NULL,
    buyer      text,
    lines      text NOT NULL,
    held_units bigint NOT NULL CHECK (held_units > 0),
    order_id   uuid,
    expires_at timestamptz NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    CHECK ((state = 'claimed') = (order_id IS NOT NULL))
) WITH (fillfactor = 85);
CREATE INDEX reservations_due ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX reservations_of_buyer ON reservations (channel, buyer) WHERE state = 'held' AND buyer IS NOT NULL;

-- Units promised and not yet shipped: reserved of a balance = Σ of its rows here. The owner is an order or a hold.
CREATE TABLE reserved_lines (
    owner    uuid NOT NULL,
    line_no  integer NOT NULL,
    sku      text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (owner, line_no, sku, location)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
CREATE INDEX reserved_lines_of_stock ON reserved_lines (sku, location);

-- Why an order was sourced as it was: what was asked, what was seen, what came of it. Never changed.
CREATE TABLE decisions (
    order_id   uuid NOT NULL,
    attempt    integer NOT NULL CHECK (attempt > 0),
    id         uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    document   text NOT NULL,
    PRIMARY KEY (order_id, attempt)
);

-- Orders that no plan could fill, and the SKUs they wait for in the order they are served.
CREATE TABLE backorders (
    order_id  uuid PRIMARY KEY,
    priority  smallint NOT NULL,
    placed_at timestamptz NOT NULL,
    request   text NOT NULL
);
CREATE TABLE backorder_lines (
    sku       text COLLATE "C" NOT NULL,
    priority  smallint NOT NULL,
    placed_at timestamptz NOT NULL,
    order_id  uuid NOT NULL REFERENCES backorders ON DELETE CASCADE,
    quantity  bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sku, priority, placed_at, order_id)
);
CREATE INDEX backorder_lines_of_order ON backorder_lines (order_id);

-- SKUs that got stock while orders wait for them, and up to where their queue was served.
CREATE TABLE arrivals (
    sku            text COLLATE "C" PRIMARY KEY,
    after_priority smallint NOT NULL DEFAULT -1,
    after_placed   timestamptz NOT NULL DEFAULT 'epoch',
    after_order    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);
