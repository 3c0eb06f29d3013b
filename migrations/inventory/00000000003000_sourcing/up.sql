-- Sourcing as data: rulesets, and the capacity of locations by day.

-- How locations are chosen, as documents. A document is never changed: a new one is a new version.
CREATE TABLE rulesets (
    version      integer PRIMARY KEY CHECK (version > 0),
    state        text NOT NULL CHECK (state IN ('draft', 'shadow', 'active', 'retired')),
    document     text NOT NULL,
    author       text NOT NULL,
    created_at   timestamptz NOT NULL,
    activated_at timestamptz,
    revision     bigint NOT NULL DEFAULT 1
);
-- One decides, and at most one decides beside it.
CREATE UNIQUE INDEX rulesets_in_use ON rulesets (state) WHERE state IN ('active', 'shadow');
-- Decisions before this release name version 1, which was built in: the nearest location first.
INSERT INTO rulesets (version, state, document, author, created_at, activated_at) VALUES (1, 'active',
    '{"name":"nearest","description":"The nearest location that has everything; else the fewest parts, and among those the least total distance. In force until another ruleset is activated.","candidates":{"near":12,"broad":4},"promise":{},"cost":{},"respect":{"hours":true,"cutoff":true,"capacity":true},"tiers":[{"name":"nearest","filters":{},"sort":["distance"],"split":{"max_parts":4}}],"otherwise":"backorder"}',
    'onepool', now(), now());

-- Which order uses the daily capacity of which location; only locations that have one are counted. A row whose order has
-- shipped from there stays.
CREATE TABLE location_loads (
    order_id uuid NOT NULL,
    location text COLLATE "C" NOT NULL REFERENCES locations,
    day      date NOT NULL,
    shipped  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (order_id, location, day)
);
CREATE INDEX location_loads_of_day ON location_loads (location, day);
-- Their sum, kept with every change: orders = the number of rows above.
CREATE TABLE location_days (
    location text COLLATE "C" NOT NULL REFERENCES locations,
    day      date NOT NULL,
    orders   bigint NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (location, day)
) WITH (fillfactor = 70);
CREATE INDEX location_days_by_day ON location_days (day);

-- The pictures of the pool follow the sums as they follow balances.
ALTER TABLE changes
    ADD COLUMN loaded      text[] NOT NULL DEFAULT '{}',
    ADD COLUMN loaded_days date[] NOT NULL DEFAULT '{}',
    ADD COLUMN loads       bigint[] NOT NULL DEFAULT '{}';
