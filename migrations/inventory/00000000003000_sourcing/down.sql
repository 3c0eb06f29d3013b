ALTER TABLE changes DROP COLUMN loaded, DROP COLUMN loaded_days, DROP COLUMN loads;
DROP TABLE location_days;
DROP TABLE location_loads;
DROP TABLE rulesets;
