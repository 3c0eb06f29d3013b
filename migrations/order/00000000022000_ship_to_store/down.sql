DROP INDEX fulfilments_sent_list;
UPDATE fulfilments SET status = 'packed', kind = 'pickup' WHERE status = 'sent';
ALTER TABLE fulfilments
    DROP CONSTRAINT fulfilments_status_check,
    ADD CONSTRAINT fulfilments_status_check CHECK (status IN ('waiting', 'offered', 'accepted', 'picked', 'packed', 'shipped',
        'delivered', 'rejected', 'cancelled', 'ready', 'collected', 'lapsed')),
    DROP COLUMN collect_at,
    DROP COLUMN sent_at;
