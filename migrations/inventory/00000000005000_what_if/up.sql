-- What if: past orders decided again by another ruleset, beside what happened.

-- The order in which decisions were made; those of one batch share their instant.
ALTER TABLE decisions ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX decisions_first ON decisions (decided_at, seq) WHERE attempt = 1;

-- Which order a shipment in the ledger belongs to, by the fulfilment that the movement refers to.
CREATE TABLE shipped_orders (
    fulfilment text COLLATE "C" PRIMARY KEY,
    order_id   uuid NOT NULL
);

-- Replays that were asked for, how far they have come, and what they found so far.
CREATE TABLE replays (
    id         uuid PRIMARY KEY,
    status     text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    -- The channels whose orders are decided again; none means all.
    channels   text[],
    most       bigint NOT NULL CHECK (most > 0),
    -- The version of a stored ruleset; none for one that came with the request.
    version    integer REFERENCES rulesets,
    document   text NOT NULL,
    author     text NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- First decisions in the window, of them read, and of those decided again.
    decisions  bigint NOT NULL,
    read       bigint NOT NULL DEFAULT 0,
    replayed   bigint NOT NULL DEFAULT 0,
    -- The last decision that was read, and the last movement.
    read_at    timestamptz NOT NULL,
    read_seq   bigint NOT NULL DEFAULT 0,
    first      bigint,
    position   bigint,
    comparison text NOT NULL,
    error      text,
    CHECK (since < until)
);
CREATE INDEX replays_to_run ON replays (created_at, id) WHERE status IN ('queued', 'running');

-- What a replay's orders took so far, so that it goes on where it stopped.
CREATE TABLE replay_taken (
    replay   uuid NOT NULL REFERENCES replays ON DELETE CASCADE,
    sku      text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    units    bigint NOT NULL,
    PRIMARY KEY (replay, sku, location)
) WITH (fillfactor = 70);
CREATE TABLE replay_loads (
    replay   uuid NOT NULL REFERENCES replays ON DELETE CASCADE,
    location text COLLATE "C" NOT NULL,
    day      date NOT NULL,
    orders   bigint NOT NULL,
    PRIMARY KEY (replay, location, day)
) WITH (fillfactor = 70);

-- What the ruleset in shadow would have decided beside what was decided, by the retailer's day.
CREATE TABLE shadow_days (
    version    integer NOT NULL REFERENCES rulesets,
    day        date NOT NULL,
    comparison text NOT NULL,
    PRIMARY KEY (version, day)
);
