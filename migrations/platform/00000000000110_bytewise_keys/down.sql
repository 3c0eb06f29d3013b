ALTER TABLE idempotency ALTER COLUMN client TYPE text COLLATE "default", ALTER COLUMN key TYPE text COLLATE "default";
