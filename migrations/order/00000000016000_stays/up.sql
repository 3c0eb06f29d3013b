-- Since when orders stand where they stand, until they are with the buyer, or it was said again that they are cancelled.
-- Beside the orders, so that those need no index on what changes; the job that takes order_moves off the list keeps it.
CREATE TABLE order_stays (
    order_id uuid        NOT NULL PRIMARY KEY,
    channel  text        COLLATE "C" NOT NULL,
    status   text        NOT NULL,
    since    timestamptz NOT NULL,
    -- How often the inventory was asked again for its answer, and when it was last; `since` when it was not.
    asked    integer     NOT NULL DEFAULT 0 CHECK (asked >= 0),
    asked_at timestamptz NOT NULL
);
CREATE INDEX order_stays_longest ON order_stays (status, since, order_id);
CREATE INDEX order_stays_unanswered ON order_stays (asked_at, order_id) WHERE status = 'sourcing';

-- What is in the book already begins to be timed now.
INSERT INTO order_stays (order_id, channel, status, since, asked_at)
SELECT order_id, channel, status, now(), now() FROM orders WHERE status NOT IN ('delivered', 'completed', 'cancelled');
