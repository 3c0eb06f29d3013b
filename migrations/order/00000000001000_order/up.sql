-- The order book. Orders are distributed by order_id, so every table of an order carries it in its key.

-- One row per order: what the channel handed in, and where the order stands. No index names a column that changes, and
-- the pages keep room for a second version of every row, so that changes of state are heap-only updates, also when a
-- batch changes all rows of a page at once.
CREATE TABLE orders (
    order_id            uuid        NOT NULL PRIMARY KEY,
    channel             text        COLLATE "C" NOT NULL,
    channel_order_no    text        COLLATE "C" NOT NULL,
    content             bytea       NOT NULL,
    buyer_key           bytea,
    placed_at           timestamptz NOT NULL,
    channel_updated_at  timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text        NOT NULL,
    currency            text        NOT NULL,
    list_amount         bigint      NOT NULL,
    discount_amount     bigint      NOT NULL,
    freight_amount      bigint      NOT NULL,
    total_amount        bigint      NOT NULL,
    fulfilment_kind     text        NOT NULL CHECK (fulfilment_kind IN ('ship', 'pickup')),
    -- Buyer, address, payments, references and remark, as they were handed in.
    document            text        NOT NULL,
    status              text        NOT NULL CHECK (status IN ('received', 'sourcing', 'sourced', 'backordered',
                            'unfillable', 'fulfilling', 'shipped', 'delivered', 'completed', 'cancelled')),
    payment_status      text        NOT NULL CHECK (payment_status IN ('unpaid', 'authorised', 'paid',
                            'partially_refunded', 'refunded')),
    -- Whether the units without a location wait for stock to arrive.
    backordered         boolean     NOT NULL DEFAULT false,
    -- Whether any unit was ever cancelled or rejected: only then does a sourcing answer need a closer look.
    disturbed           boolean     NOT NULL DEFAULT false,
    -- What went back to the buyer, by cancelling and by returning, and how much of it was freight.
    given_back_amount   bigint      NOT NULL DEFAULT 0,
    given_back_freight  bigint      NOT NULL DEFAULT 0,
    version             bigint      NOT NULL DEFAULT 1,
    CONSTRAINT orders_amounts CHECK (list_amount >= 0 AND discount_amount >= 0 AND freight_amount >= 0
        AND list_amount - discount_amount + freight_amount = total_amount),
    CONSTRAINT orders_never_give_back_more_than_paid CHECK (given_back_amount BETWEEN 0 AND total_amount
        AND given_back_freight BETWEEN 0 AND freight_amount)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX orders_number ON orders (channel, channel_order_no);
CREATE INDEX orders_placed ON orders (placed_at, order_id);

-- A line never exists without its order: one statement inserts both. There is no foreign key because its check would
-- cost more than the insert.
CREATE TABLE order_lines (
    order_id        uuid    NOT NULL,
    line_no         integer NOT NULL,
    sku             text    NOT NULL,
    channel_sku     text,
    category        text,
    -- What a bundle was made of when it was sold.
    components      text,
    quantity        bigint  NOT NULL CHECK (quantity > 0),
    unit_price      numeric NOT NULL CHECK (unit_price >= 0),
    own_discount    bigint  NOT NULL,
    list_amount     bigint  NOT NULL,
    discount_amount bigint  NOT NULL,
    paid_amount     bigint  NOT NULL,
    freight_amount  bigint  NOT NULL,
    cancelled       bigint  NOT NULL DEFAULT 0,
    shipped         bigint  NOT NULL DEFAULT 0,
    returned        bigint  NOT NULL DEFAULT 0,
    refunded        bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, line_no),
    CONSTRAINT order_lines_amounts CHECK (paid_amount >= 0 AND list_amount - discount_amount = paid_amount
        AND own_discount BETWEEN 0 AND discount_amount),
    CONSTRAINT order_lines_units CHECK (cancelled >= 0 AND shipped >= 0 AND cancelled + shipped <= quantity),
    CONSTRAINT order_lines_never_return_more_than_shipped CHECK (returned BETWEEN 0 AND shipped
        AND refunded BETWEEN 0 AND returned)
) WITH (fillfactor = 80);

-- Which member bought, as the member service found out. Beside the order, so that its row is not rewritten for it.
CREATE TABLE order_members (
    order_id  uuid NOT NULL PRIMARY KEY,
    member_id uuid NOT NULL
);
CREATE INDEX order_members_member ON order_members (member_id, order_id);

-- Who changed what, when and why: one row per change. The intake itself stands in the order.
CREATE TABLE order_history (
    order_id  uuid        NOT NULL,
    change_id bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    what      text        NOT NULL,
    reason    text,
    PRIMARY KEY (order_id, change_id)
);

-- A fulfilment order: what one location ships of an order. Its lines are small and always read with it.
CREATE TABLE fulfilments (
    fulfilment_id uuid        NOT NULL PRIMARY KEY,
    order_id      uuid        NOT NULL,
    attempt       integer     NOT NULL,
    location      text        COLLATE "C" NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('ship', 'pickup')),
    status        text        COLLATE "C" NOT NULL CHECK (status IN ('offered', 'accepted', 'picked', 'packed', 'shipped',
                      'delivered', 'rejected', 'cancelled', 'ready', 'collected', 'lapsed')),
    lines         text        NOT NULL,
    parcels       text        NOT NULL DEFAULT '[]',
    reason        text,
    collect_code  text,
    offered_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    version       bigint      NOT NULL DEFAULT 1
) WITH (fillfactor = 80);
-- A sourcing answer makes one fulfilment order per location, however often it is heard.
CREATE UNIQUE INDEX fulfilments_answer ON fulfilments (order_id, attempt, location);
CREATE INDEX fulfilments_work_list ON fulfilments (location, status, fulfilment_id);

-- Orders whose return window runs; the job takes the due ones.
CREATE TABLE completions (
    order_id uuid        NOT NULL PRIMARY KEY,
    due_at   timestamptz NOT NULL
);
CREATE INDEX completions_due ON completions (due_at, order_id);

CREATE TABLE returns (
    return_id        uuid        NOT NULL PRIMARY KEY,
    order_id         uuid,
    channel          text        NOT NULL,
    channel_order_no text,
    return_no        text,
    content          bytea       NOT NULL,
    currency         text        NOT NULL,
    buyer_key        bytea,
    buyer            text,
    location         text,
    reason           text        NOT NULL,
    status           text        NOT NULL CHECK (status IN ('requested', 'approved', 'received', 'inspected', 'refunded',
                         'cancelled')),
    refund_id        uuid,
    freight_amount   bigint      NOT NULL DEFAULT 0 CHECK (freight_amount >= 0),
    refund_amount    bigint      NOT NULL DEFAULT 0 CHECK (refund_amount >= freight_amount),
    -- When the buyer asked, as the channel says, and when it came into the book.
    returned_at      timestamptz NOT NULL,
    requested_at     timestamptz NOT NULL,
    requested_by     text        NOT NULL,
    changed_at       timestamptz NOT NULL,
    version          bigint      NOT NULL DEFAULT 1
);
CREATE INDEX returns_order ON returns (order_id) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX returns_number ON returns (channel, return_no) WHERE return_no IS NOT NULL;
CREATE INDEX returns_returned ON returns (returned_at, return_id);

CREATE TABLE return_lines (
    return_id     uuid    NOT NULL REFERENCES returns,
    position      integer NOT NULL,
    line_no       integer,
    sku           text    NOT NULL,
    components    text,
    quantity      bigint  NOT NULL CHECK (quantity > 0),
    unit_price    numeric CHECK (unit_price >= 0),
    -- What goes back: given for an unknown original, worked out at the refund otherwise.
    refund_amount bigint  CHECK (refund_amount >= 0),
    restock       bigint  NOT NULL DEFAULT 0,
    quarantine    bigint  NOT NULL DEFAULT 0,
    scrap         bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (return_id, position),
    CONSTRAINT return_lines_disposition CHECK (restock >= 0 AND quarantine >= 0 AND scrap >= 0
        AND restock + quarantine + scrap IN (0, quantity))
);

-- What order knows of other services' things, copied from their events; a newer version is never overwritten.
CREATE TABLE known_channels (
    channel  text    NOT NULL PRIMARY KEY,
    currency text    NOT NULL,
    active   boolean NOT NULL,
    version  bigint  NOT NULL
);
CREATE TABLE known_skus (
    sku        text    NOT NULL PRIMARY KEY,
    active     boolean NOT NULL,
    category   text,
    components text,
    version    bigint  NOT NULL
);
CREATE TABLE known_locations (
    location text    NOT NULL PRIMARY KEY,
    active   boolean NOT NULL,
    version  bigint  NOT NULL
);
CREATE TABLE known_listings (
    channel     text    NOT NULL,
    channel_sku text    NOT NULL,
    sku         text    NOT NULL,
    active      boolean NOT NULL,
    version     bigint  NOT NULL,
    PRIMARY KEY (channel, channel_sku)
);
