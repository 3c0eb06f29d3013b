DROP INDEX returns_expire;
UPDATE returns SET status = 'cancelled' WHERE status = 'lapsed';
ALTER TABLE returns
    DROP COLUMN expires_at,
    DROP CONSTRAINT returns_status_check,
    ADD CONSTRAINT returns_status_check CHECK (status IN ('requested', 'approved', 'received', 'inspected', 'refunded',
        'cancelled'));
