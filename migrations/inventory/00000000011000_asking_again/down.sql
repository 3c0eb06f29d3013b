ALTER TABLE backorders DROP COLUMN since, DROP COLUMN position;
