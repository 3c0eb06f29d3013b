-- Since when an order waits, by the clock and by the ledger of units: locations that have rejected it are asked again once
-- more of what it needs has come there, or a day has passed.
ALTER TABLE backorders
    ADD COLUMN since timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN position bigint NOT NULL DEFAULT 0;
