-- Orders that could ship from nearer, or from fewer places, since stock arrived.

-- Whether a ruleset lets orders move: read with every arrival of stock, so it is not dug out of the document each time.
ALTER TABLE rulesets ADD COLUMN moves boolean NOT NULL
    GENERATED ALWAYS AS (coalesce(document::jsonb #>> '{resourcing,enabled}', 'false') = 'true') STORED;

-- SKUs that got stock at one location while orders hold units of them at another, and the order that was looked at last.
CREATE TABLE improvements (
    sku         text COLLATE "C" PRIMARY KEY,
    after_order uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- Whether more arrived since: then all orders are looked at once more.
    again       boolean NOT NULL DEFAULT false
);

-- What the order book was asked to recall, and what came of it. How often an order may be moved is counted here.
CREATE TABLE moves (
    order_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    -- The order's newest decision then.
    attempt  integer NOT NULL,
    document text NOT NULL,
    outcome  text NOT NULL DEFAULT 'asked' CHECK (outcome IN ('asked', 'moved', 'stayed')),
    -- The decision that followed.
    moved_as integer CHECK ((moved_as IS NULL) = (outcome = 'asked')),
    PRIMARY KEY (order_id, asked_at)
);
CREATE INDEX moves_by_time ON moves (asked_at);
