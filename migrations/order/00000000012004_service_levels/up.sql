-- How well a location serves: what happened there on a day of the retailer's, by what it was and, for rejections, why. For
-- what has a time, the seconds it took and how many took too long.
CREATE TABLE fulfilment_counts (
    day      date   NOT NULL,
    location text   COLLATE "C" NOT NULL,
    measure  text   COLLATE "C" NOT NULL CHECK (measure IN ('offered', 'accepted', 'rejected', 'lapsed', 'short_picked',
                 'shipped', 'ready', 'collected', 'uncollected')),
    reason   text   COLLATE "C" NOT NULL,
    units    bigint NOT NULL,
    seconds  bigint NOT NULL,
    late     bigint NOT NULL,
    PRIMARY KEY (day, location, measure, reason)
) WITH (fillfactor = 50);
CREATE INDEX fulfilment_counts_location ON fulfilment_counts (location, day);

-- What the moves of a transaction add. Rows are only added, so that no two transactions wait for each other's counts; a job
-- takes them off and adds them up. Until then they count beside the counts.
CREATE TABLE fulfilment_count_steps (
    step_id  bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day      date   NOT NULL,
    location text   COLLATE "C" NOT NULL,
    measure  text   COLLATE "C" NOT NULL,
    reason   text   COLLATE "C" NOT NULL,
    units    bigint NOT NULL,
    seconds  bigint NOT NULL,
    late     bigint NOT NULL
);
