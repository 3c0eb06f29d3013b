-- Keys are compared byte by byte, which needs no rules of any language and costs a fraction.
ALTER TABLE idempotency ALTER COLUMN client TYPE text COLLATE "C", ALTER COLUMN key TYPE text COLLATE "C";
