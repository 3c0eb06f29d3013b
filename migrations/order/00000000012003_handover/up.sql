-- What was handed to a carrier in one go, as it was then. A list never changes.
CREATE TABLE handover_lists (
    handover_id uuid        NOT NULL PRIMARY KEY,
    location    text        NOT NULL,
    carrier     text        NOT NULL,
    -- The parcels, a JSON list: they are read together, and their number has a limit.
    parcels     text        NOT NULL,
    handed_at   timestamptz NOT NULL,
    handed_by   text        NOT NULL
);
