ALTER TABLE known_locations DROP COLUMN takes_returns;
