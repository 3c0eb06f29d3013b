ALTER TABLE reservations ALTER COLUMN channel TYPE text COLLATE "default", ALTER COLUMN buyer TYPE text COLLATE "default";
