DROP INDEX fulfilments_unanswered;
ALTER TABLE fulfilments
    DROP COLUMN accepted_at, DROP COLUMN picked_at, DROP COLUMN packed_at, DROP COLUMN ready_at, DROP COLUMN shipped_at,
    DROP COLUMN delivered_at, DROP COLUMN collected_at;
