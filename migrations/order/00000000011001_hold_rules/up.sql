-- Which orders are held, as documents. A document is never changed: a new one is a new version.
CREATE TABLE order_hold_rulesets (
    version      integer     NOT NULL PRIMARY KEY CHECK (version > 0),
    state        text        NOT NULL CHECK (state IN ('draft', 'active', 'retired')),
    document     text        NOT NULL,
    author       text        NOT NULL,
    created_at   timestamptz NOT NULL,
    activated_at timestamptz,
    revision     bigint      NOT NULL DEFAULT 1
);
-- At most one judges.
CREATE UNIQUE INDEX order_hold_rulesets_active ON order_hold_rulesets (state) WHERE state = 'active';
