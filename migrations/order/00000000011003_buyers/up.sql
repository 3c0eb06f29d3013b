-- Who has ordered, and when the order came in: a row for each identity of an order's buyer, by which rules count orders. Only
-- digests are kept.
CREATE TABLE order_buyers (
    digest   bytea       NOT NULL,
    at       timestamptz NOT NULL,
    order_id uuid        NOT NULL,
    PRIMARY KEY (digest, at, order_id)
);
-- Of the orders there are, one identity of each buyer is known.
INSERT INTO order_buyers (digest, at, order_id)
SELECT buyer_key, created_at, order_id FROM orders WHERE buyer_key IS NOT NULL;

-- Buyers whose orders rules may hold. The value of an identity is not kept.
CREATE TABLE order_blacklist (
    entry_id   uuid        NOT NULL PRIMARY KEY,
    digest     bytea       NOT NULL,
    -- What the identity is, such as a telephone number.
    kind       text        NOT NULL,
    -- The channel it holds for; in all of them, where none is given.
    channel    text        COLLATE "C",
    reason     text        NOT NULL,
    expires_at timestamptz,
    placed_at  timestamptz NOT NULL,
    placed_by  text        NOT NULL
);
CREATE UNIQUE INDEX order_blacklist_identity ON order_blacklist (digest, coalesce(channel, ''));
