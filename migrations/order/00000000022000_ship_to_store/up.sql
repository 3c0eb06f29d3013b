-- What a buyer collects may come from another location: it ships there, and is then that store's.
ALTER TABLE fulfilments
    ADD COLUMN collect_at text COLLATE "C",
    ADD COLUMN sent_at timestamptz,
    ADD CONSTRAINT fulfilments_sent CHECK (sent_at IS NULL OR collect_at IS NOT NULL),
    ADD CONSTRAINT fulfilments_collected_elsewhere CHECK (collect_at IS NULL OR collect_at <> location),
    DROP CONSTRAINT fulfilments_status_check,
    ADD CONSTRAINT fulfilments_status_check CHECK (status IN ('waiting', 'offered', 'accepted', 'picked', 'packed', 'shipped',
        'delivered', 'rejected', 'cancelled', 'ready', 'collected', 'lapsed', 'sent'));
CREATE INDEX fulfilments_sent_list ON fulfilments (collect_at, status, fulfilment_id) WHERE sent_at IS NOT NULL;
