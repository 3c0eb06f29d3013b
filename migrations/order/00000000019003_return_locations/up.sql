-- Whether a location takes returns, as it says with its next change.
ALTER TABLE known_locations ADD COLUMN takes_returns boolean NOT NULL DEFAULT true;
