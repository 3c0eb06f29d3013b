-- Members, their identities, points and tiers. Amounts are minor units, points are whole.
--
-- The tables that orders write to carry no foreign keys: every row of a member is written in a transaction that holds the
-- member's row, and the check would cost as much as the row itself.

-- One person. The row's lock is the lock of everything the member has.
CREATE TABLE members (
    member_id      uuid PRIMARY KEY,
    -- The key of the member's personal data, wrapped by the master key; without it the data is gone.
    data_key       bytea NOT NULL CHECK (octet_length(data_key) = 60),
    -- The sealed profile.
    profile        bytea,
    registered_at  timestamptz NOT NULL,
    version        bigint NOT NULL DEFAULT 1,
    tier           text NOT NULL,
    tier_since     timestamptz NOT NULL,
    -- When the tier is lost if nothing more is bought.
    tier_until     timestamptz
) WITH (fillfactor = 80);
CREATE INDEX members_tier_until ON members (tier_until) WHERE tier_until IS NOT NULL;

-- Who holds which strong identity: one member each, whoever comes first.
CREATE TABLE identities (
    -- HMAC-SHA256 over type, issuer, scope and normalised value.
    fingerprint  bytea PRIMARY KEY CHECK (octet_length(fingerprint) = 32),
    member_id    uuid NOT NULL,
    type         text NOT NULL,
    issuer       text NOT NULL,
    scope        text NOT NULL,
    sealed_value bytea NOT NULL,
    linked_at    timestamptz NOT NULL
);
CREATE INDEX identities_member_id ON identities (member_id);

-- Why an identity is, was, or might be a member's. A hint is weak evidence; it links nothing.
CREATE TABLE identity_evidence (
    member_id    uuid NOT NULL,
    evidence_id  uuid NOT NULL,
    fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    type         text NOT NULL,
    strength     text NOT NULL CHECK (strength IN ('strong', 'weak')),
    claim        text NOT NULL CHECK (claim IN ('linked', 'unlinked', 'hinted')),
    source       text NOT NULL CHECK (source IN ('order', 'request')),
    reference    text NOT NULL,
    rule_version integer NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (member_id, evidence_id),
    CHECK ((strength = 'weak') = (claim = 'hinted'))
);
-- A hint says the same however often it is given.
CREATE UNIQUE INDEX identity_evidence_hinted ON identity_evidence (member_id, fingerprint) WHERE claim = 'hinted';

-- Identities of one buyer that belong to two members: for people to look at, never merged by itself.
CREATE TABLE identity_cases (
    case_id    uuid PRIMARY KEY,
    member_id  uuid NOT NULL,
    other_id   uuid NOT NULL,
    reference  text NOT NULL,
    opened_at  timestamptz NOT NULL,
    UNIQUE (member_id, other_id),
    CHECK (member_id <> other_id)
);

-- Every version of every earning rule and tier programme; the newest of a code is in force.
CREATE TABLE rules (
    rule_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('earning_rule', 'tier_program')),
    code     text NOT NULL,
    version  bigint NOT NULL CHECK (version > 0),
    document jsonb NOT NULL,
    made_at  timestamptz NOT NULL,
    UNIQUE (kind, code, version)
);

-- What an order was to its buyer; anonymous orders are kept too, so that what follows them is known to be theirs.
CREATE TABLE purchases (
    order_id     uuid PRIMARY KEY,
    member_id    uuid,
    rule_id      bigint,
    currency     text NOT NULL,
    placed_at    timestamptz NOT NULL,
    completed_at timestamptz
) WITH (fillfactor = 90);

CREATE TABLE purchase_lines (
    order_id    uuid NOT NULL,
    line_no     integer NOT NULL,
    quantity    bigint NOT NULL CHECK (quantity > 0),
    paid_amount bigint NOT NULL CHECK (paid_amount >= 0),
    points      bigint NOT NULL CHECK (points >= 0),
    given_back  bigint NOT NULL DEFAULT 0 CHECK (given_back BETWEEN 0 AND quantity),
    PRIMARY KEY (order_id, line_no)
) WITH (fillfactor = 90);

-- Active points by when they lapse: Σ remaining of a member is the member's active balance in the ledger.
CREATE TABLE point_lots (
    member_id    uuid NOT NULL,
    lot_id       uuid NOT NULL,
    order_id     uuid,
    line_no      integer,
    points       bigint NOT NULL CHECK (points > 0),
    remaining    bigint NOT NULL CHECK (remaining >= 0),
    lapsed       bigint NOT NULL DEFAULT 0 CHECK (lapsed >= 0),
    active_since timestamptz NOT NULL,
    expires_at   timestamptz,
    PRIMARY KEY (member_id, lot_id),
    CHECK (remaining + lapsed <= points)
) WITH (fillfactor = 80);
CREATE INDEX point_lots_expires_at ON point_lots (expires_at) WHERE remaining > 0;

CREATE TABLE point_holds (
    member_id  uuid NOT NULL,
    hold_id    uuid NOT NULL,
    points     bigint NOT NULL CHECK (points > 0),
    status     text NOT NULL CHECK (status IN ('held', 'captured', 'released', 'lapsed', 'reversed')),
    reason     text NOT NULL,
    reference  text,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (member_id, hold_id)
);
CREATE UNIQUE INDEX point_holds_hold_id ON point_holds (hold_id);
CREATE INDEX point_holds_open ON point_holds (expires_at) WHERE status = 'held';
CREATE INDEX point_holds_open_of ON point_holds (member_id) WHERE status = 'held';

-- Which points of which lots a hold set aside, so that they can come back to the same ones.
CREATE TABLE point_hold_parts (
    member_id uuid NOT NULL,
    hold_id   uuid NOT NULL,
    lot_id    uuid NOT NULL,
    points    bigint NOT NULL CHECK (points > 0),
    PRIMARY KEY (member_id, hold_id, lot_id)
);

-- What counts towards a tier: purchases and their reversals, dated to the purchase. A tier is a function of these.
CREATE TABLE tier_entries (
    member_id   uuid NOT NULL,
    entry_id    uuid NOT NULL,
    order_id    uuid NOT NULL,
    amount      bigint NOT NULL CHECK (amount <> 0),
    currency    text NOT NULL,
    dated_at    timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (member_id, entry_id)
);

CREATE FUNCTION member_history_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a correction is a new row', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER identity_evidence_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON identity_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION member_history_only_grows();
CREATE TRIGGER tier_entries_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_entries
    FOR EACH STATEMENT EXECUTE FUNCTION member_history_only_grows();
CREATE TRIGGER rules_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON rules
    FOR EACH STATEMENT EXECUTE FUNCTION member_history_only_grows();

-- One point for each full yuan, good until the end of the next calendar year.
INSERT INTO rules (kind, code, version, document, made_at) VALUES
    ('earning_rule', 'default', 1,
     '{"channels": [], "base": {"points": 1, "per": {"amount": 100, "currency": "CNY"}}, "products": [], "expiry": {"after_months": 12, "end_of": "year"}}',
     now()),
    ('tier_program', 'default', 1,
     '{"currency": "CNY", "window": {"kind": "rolling", "months": 12}, "tiers": [{"code": "silver", "name": "银卡", "from_amount": 0}, {"code": "gold", "name": "金卡", "from_amount": 200000}, {"code": "platinum", "name": "铂金卡", "from_amount": 1000000}]}',
     now());
