DROP TABLE moves, improvements;
ALTER TABLE rulesets DROP COLUMN moves;
