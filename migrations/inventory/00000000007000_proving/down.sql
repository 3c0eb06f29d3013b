ALTER TABLE proved DROP COLUMN loaded_location, DROP COLUMN loaded_day;
