-- Whether anything holds an order: then nothing of it moves on. Kept under the order's row lock; why is told in order_holds.
ALTER TABLE orders ADD COLUMN held boolean NOT NULL DEFAULT false;

-- Why orders are, or were, held: a row for each hold, which stays after its release. Several may hold an order at once.
CREATE TABLE order_holds (
    hold_id         uuid        NOT NULL PRIMARY KEY,
    order_id        uuid        NOT NULL,
    channel         text        COLLATE "C" NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('manual', 'rule')),
    reason          text        COLLATE "C" NOT NULL,
    -- Which rule holds it, of which version of the rules.
    rule            text,
    ruleset_version integer,
    note            text,
    placed_at       timestamptz NOT NULL,
    placed_by       text        NOT NULL,
    released_at     timestamptz,
    released_by     text,
    release_note    text,
    CONSTRAINT order_holds_rule CHECK ((kind = 'rule') = (rule IS NOT NULL) AND (kind = 'rule') = (ruleset_version IS NOT NULL)),
    CONSTRAINT order_holds_released CHECK ((released_at IS NULL) = (released_by IS NULL)
        AND (release_note IS NULL OR released_at IS NOT NULL))
);
CREATE INDEX order_holds_order ON order_holds (order_id);
-- The queue, and what was worked off it.
CREATE INDEX order_holds_open ON order_holds (placed_at, hold_id) WHERE released_at IS NULL;
CREATE INDEX order_holds_over ON order_holds (placed_at, hold_id) WHERE released_at IS NOT NULL;
