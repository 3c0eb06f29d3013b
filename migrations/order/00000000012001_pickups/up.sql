-- Until when the buyer may collect, and when they are to be reminded; the reminder is taken off once it was told.
ALTER TABLE fulfilments ADD COLUMN collect_by timestamptz, ADD COLUMN remind_at timestamptz;
CREATE INDEX fulfilments_uncollected ON fulfilments (collect_by, fulfilment_id)
    WHERE status = 'ready' AND collect_by IS NOT NULL;
CREATE INDEX fulfilments_reminders ON fulfilments (remind_at, fulfilment_id)
    WHERE status = 'ready' AND remind_at IS NOT NULL;
