ALTER TABLE fulfilments DROP COLUMN collect_by, DROP COLUMN remind_at;
