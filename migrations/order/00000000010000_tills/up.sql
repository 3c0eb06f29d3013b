-- Tills. Whoever writes anything of a till locks its row here first, several in order of store and terminal: so numbers,
-- voids and sums of one till are never worked on by two transactions at once.
CREATE TABLE pos_tills (
    store         text        COLLATE "C" NOT NULL,
    terminal      text        COLLATE "C" NOT NULL,
    -- When it was last heard of.
    heard_at      timestamptz NOT NULL,
    -- How many of its voids have arrived before what they void: without any, nobody looks for them.
    waiting_voids bigint      NOT NULL DEFAULT 0 CHECK (waiting_voids >= 0),
    PRIMARY KEY (store, terminal)
) WITH (fillfactor = 50);

-- What a till wrote. A row never changes: what was wrong is undone by another transaction.
CREATE TABLE pos_transactions (
    transaction_id  uuid        NOT NULL PRIMARY KEY,
    store           text        COLLATE "C" NOT NULL,
    terminal        text        COLLATE "C" NOT NULL,
    business_date   date        NOT NULL,
    sequence        bigint      NOT NULL CHECK (sequence >= 1),
    kind            text        NOT NULL CHECK (kind IN ('sale', 'return', 'exchange', 'void')),
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    recorded_by     text        NOT NULL,
    channel         text        NOT NULL,
    currency        text        NOT NULL,
    content         bytea       NOT NULL,
    voids_date      date,
    voids_sequence  bigint,
    -- Below 0 where money went back. A void has no amounts of its own.
    paid_amount     bigint      NOT NULL,
    tendered_amount bigint      NOT NULL,
    -- Buyer, guide, remark, lines and tenders as JSON: small, and always read with it.
    document        text        NOT NULL,
    CONSTRAINT pos_transactions_amounts CHECK (paid_amount = tendered_amount),
    CONSTRAINT pos_transactions_voids CHECK ((kind = 'void') = (voids_sequence IS NOT NULL)
        AND (voids_sequence IS NULL) = (voids_date IS NULL))
);
-- The key that makes a transaction one, whatever arrives in whatever order. The day comes before the terminal, for the
-- lists of a store's day.
CREATE UNIQUE INDEX pos_transactions_number ON pos_transactions (store, business_date, terminal, sequence);

-- Which void undoes which transaction: one at most. It waits until that transaction is there.
CREATE TABLE pos_voids (
    store         text   COLLATE "C" NOT NULL,
    terminal      text   COLLATE "C" NOT NULL,
    -- What it voids.
    business_date date   NOT NULL,
    sequence      bigint NOT NULL,
    void_id       uuid   NOT NULL UNIQUE,
    effect        text   NOT NULL DEFAULT 'waiting' CHECK (effect IN ('waiting', 'done', 'none')),
    PRIMARY KEY (store, terminal, business_date, sequence)
);
CREATE INDEX pos_voids_waiting ON pos_voids (store, terminal) WHERE effect = 'waiting';

-- A till's business day: which numbers have come, and what the till said when it closed it.
CREATE TABLE pos_days (
    store                 text        COLLATE "C" NOT NULL,
    terminal              text        COLLATE "C" NOT NULL,
    business_date         date        NOT NULL,
    -- The numbers that are accounted for, be it as transactions or as gaps; none before the first.
    first_sequence        bigint,
    last_sequence         bigint,
    -- How many transactions have come, and how many numbers between the first and the last have not.
    transactions          bigint      NOT NULL DEFAULT 0,
    missing               bigint      NOT NULL DEFAULT 0,
    declared_last         bigint,
    declared_transactions bigint,
    closed_at             timestamptz,
    closed_by             text,
    version               bigint      NOT NULL DEFAULT 1,
    PRIMARY KEY (store, business_date, terminal),
    CONSTRAINT pos_days_every_number_came_or_is_missing CHECK (transactions >= 0 AND missing >= 0
        AND coalesce(last_sequence - first_sequence + 1, 0) = transactions + missing),
    CONSTRAINT pos_days_closed CHECK ((closed_at IS NULL) = (declared_transactions IS NULL)
        AND (closed_at IS NULL) = (declared_last IS NULL) AND (closed_at IS NULL) = (closed_by IS NULL))
) WITH (fillfactor = 50);

-- Numbers that have not come although later ones have: a row for each unbroken range.
CREATE TABLE pos_gaps (
    store         text        COLLATE "C" NOT NULL,
    terminal      text        COLLATE "C" NOT NULL,
    business_date date        NOT NULL,
    first_missing bigint      NOT NULL,
    last_missing  bigint      NOT NULL,
    since         timestamptz NOT NULL,
    PRIMARY KEY (store, business_date, terminal, first_missing),
    CHECK (first_missing >= 1 AND first_missing <= last_missing)
);

-- What a till took on a day by each means of payment, kept as transactions come, beside what it declared.
CREATE TABLE pos_day_tenders (
    store           text   COLLATE "C" NOT NULL,
    terminal        text   COLLATE "C" NOT NULL,
    business_date   date   NOT NULL,
    method          text   COLLATE "C" NOT NULL,
    currency        text   COLLATE "C" NOT NULL,
    received_amount bigint NOT NULL DEFAULT 0,
    declared_amount bigint,
    PRIMARY KEY (store, business_date, terminal, method, currency)
) WITH (fillfactor = 50);

-- What tills are told of: each change of a SKU or a channel takes the next position, under the lock of this one row, so
-- that positions become visible in their order.
CREATE TABLE pos_feed_head (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    position bigint  NOT NULL
);
INSERT INTO pos_feed_head (position) VALUES (0);
ALTER TABLE known_skus ADD COLUMN name text, ADD COLUMN feed_position bigint NOT NULL DEFAULT 0;
CREATE INDEX known_skus_feed ON known_skus (feed_position, sku);
ALTER TABLE known_channels ADD COLUMN name text, ADD COLUMN feed_position bigint NOT NULL DEFAULT 0;
CREATE INDEX known_channels_feed ON known_channels (feed_position, channel);
