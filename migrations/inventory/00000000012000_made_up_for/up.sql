-- Where the daily round over what has been promised for long has come to: the order asked about last; none when it is over.
-- One row.
CREATE TABLE promise_round (
    after    uuid,
    began_at timestamptz NOT NULL
);
INSERT INTO promise_round (began_at) VALUES ('epoch');

-- Orders of which lost events were made up for by what the order book said: events dated up to then have nothing left to do.
CREATE TABLE made_up_for (
    order_id uuid PRIMARY KEY,
    upto     timestamptz NOT NULL
);
