ALTER TABLE returns DROP COLUMN reason_code;
