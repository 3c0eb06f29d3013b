-- When a fulfilment order came to where it stands.
ALTER TABLE fulfilments
    ADD COLUMN accepted_at  timestamptz,
    ADD COLUMN picked_at    timestamptz,
    ADD COLUMN packed_at    timestamptz,
    ADD COLUMN ready_at     timestamptz,
    ADD COLUMN shipped_at   timestamptz,
    ADD COLUMN delivered_at timestamptz,
    ADD COLUMN collected_at timestamptz;
-- Offers that nobody has answered, the oldest first: those lapse. A pickup's does not, since no other location may have it.
CREATE INDEX fulfilments_unanswered ON fulfilments (offered_at, fulfilment_id) WHERE status = 'offered' AND kind = 'ship';
