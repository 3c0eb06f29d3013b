-- Whether a fulfilment order that counts as rejected was taken back for nearer stock: its location has refused nothing.
ALTER TABLE fulfilments ADD COLUMN recalled boolean NOT NULL DEFAULT false;
