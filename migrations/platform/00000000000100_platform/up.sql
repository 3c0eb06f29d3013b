-- What every service keeps beside its own tables: events to be sent, events taken, answers given, events that failed.

-- Events that are committed but not yet confirmed by the broker. One row carries all events of one kind and partition
-- that a transaction told: the body is the AMQP message. Rows are deleted when confirmed, so the table stays small.
CREATE TABLE outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL,
    partition smallint NOT NULL,
    events    integer NOT NULL CHECK (events > 0),
    body      text NOT NULL,
    told_at   timestamptz NOT NULL
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
-- Bodies are sent once and deleted. LZ4 costs less than the log and the pages it saves; where the server was built without
-- it, they are kept as they are.
DO $$
BEGIN
    ALTER TABLE outbox ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR syntax_error THEN
    ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;
END $$;

-- Events that were taken, as the mark of the batch they were told in, or of one event: what is here has had its effect.
CREATE TABLE inbox (
    subscription text COLLATE "C" NOT NULL,
    mark         uuid NOT NULL,
    -- Of a batch: not taken as a whole, so that each of its events has a mark of its own.
    in_parts     boolean NOT NULL,
    taken_at     timestamptz NOT NULL,
    PRIMARY KEY (subscription, mark)
);
CREATE INDEX inbox_taken_at ON inbox USING brin (taken_at);

-- Answers to requests with an Idempotency-Key, kept with the state they answer for.
CREATE TABLE idempotency (
    client      text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,
    status      smallint,
    body        text,
    etag        text,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_made_at ON idempotency USING brin (made_at);

-- Events a consumer could not take: to be tried again at next_attempt_at, or parked when that is null.
CREATE TABLE dead_letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription    text NOT NULL,
    event_id        uuid NOT NULL,
    kind            text NOT NULL,
    subject         text NOT NULL,
    event           text NOT NULL,
    reason          text NOT NULL,
    attempts        integer NOT NULL CHECK (attempts > 0),
    first_failed_at timestamptz NOT NULL,
    last_failed_at  timestamptz NOT NULL,
    next_attempt_at timestamptz,
    UNIQUE (subscription, event_id)
);
CREATE INDEX dead_letters_due ON dead_letters (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
