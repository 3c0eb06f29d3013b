-- Stock documents: goods that are expected, goods on their way, and counts.

-- Receipts (goods from a supplier) and transfers (goods from another location): what is to arrive at a location.
CREATE TABLE deliveries (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('receipt', 'transfer')),
    status      text NOT NULL CHECK (status IN
        ('expected', 'receiving', 'received', 'closed', 'requested', 'in_transit', 'cancelled')),
    -- Where the goods come from, when that is one of ours.
    origin      text COLLATE "C" REFERENCES locations,
    location    text COLLATE "C" NOT NULL REFERENCES locations,
    supplier    text,
    reason      text,
    reference   text,
    expected_at timestamptz,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    changed_at  timestamptz NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    CHECK ((kind = 'transfer') = (origin IS NOT NULL)),
    CHECK (origin <> location)
);
CREATE INDEX deliveries_to ON deliveries (kind, location, id);
CREATE INDEX deliveries_from ON deliveries (origin, id) WHERE origin IS NOT NULL;

-- Incoming of a balance = Σ of `incoming` here.
CREATE TABLE delivery_lines (
    delivery uuid NOT NULL REFERENCES deliveries,
    line_no  integer NOT NULL,
    sku      text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    expected bigint NOT NULL CHECK (expected >= 0),
    received bigint NOT NULL CHECK (received >= 0),
    damaged  bigint NOT NULL CHECK (damaged BETWEEN 0 AND received),
    incoming bigint NOT NULL,
    PRIMARY KEY (delivery, line_no),
    UNIQUE (delivery, sku),
    CONSTRAINT incoming_is_what_is_missing CHECK (incoming IN (0, greatest(expected - received, 0)))
);
CREATE INDEX delivery_lines_on_their_way ON delivery_lines (sku, location) WHERE incoming > 0;

-- Counts: what the books said when counting began, and what was found.
CREATE TABLE counts (
    id         uuid PRIMARY KEY,
    status     text NOT NULL CHECK (status IN ('counting', 'submitted', 'cancelled')),
    location   text COLLATE "C" NOT NULL REFERENCES locations,
    reference  text,
    -- The last movement of the ledger when counting began.
    position   bigint NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    version    bigint NOT NULL DEFAULT 1
);
CREATE INDEX counts_at ON counts (location, id);

CREATE TABLE count_lines (
    count_id   uuid NOT NULL REFERENCES counts,
    sku        text COLLATE "C" NOT NULL,
    -- What the books said, once it is told.
    booked     bigint,
    counted    bigint CHECK (counted >= 0),
    counted_at timestamptz,
    PRIMARY KEY (count_id, sku),
    CHECK ((counted IS NULL) = (booked IS NULL))
);

-- Up to which movement the ledger had come at an instant.
CREATE INDEX movements_by_instant ON movements (at, id);

-- The running proof goes through the ledger's history again and again, beside what is new in it.
INSERT INTO progress (job, upto) VALUES ('prove_history', 0);
