-- How far the running proof has come with the orders of locations' days, in the order of location and day.
ALTER TABLE proved
    ADD COLUMN loaded_location text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN loaded_day      date NOT NULL DEFAULT 'epoch';
