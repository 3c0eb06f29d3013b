-- What locations work on, by when they took it on: the oldest of it is overdue first.
CREATE INDEX fulfilments_in_work ON fulfilments (accepted_at, fulfilment_id)
    WHERE status IN ('accepted', 'picked', 'packed') AND accepted_at IS NOT NULL;
