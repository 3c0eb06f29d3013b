ALTER TABLE fulfilments DROP COLUMN recalled;
