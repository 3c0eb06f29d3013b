-- Until when the goods of approved returns are to come; then the return lapses, and its units may be returned again. What
-- was approved before was promised no such time.
ALTER TABLE returns
    ADD COLUMN expires_at timestamptz,
    DROP CONSTRAINT returns_status_check,
    ADD CONSTRAINT returns_status_check CHECK (status IN ('requested', 'approved', 'received', 'inspected', 'refunded',
        'cancelled', 'lapsed'));
CREATE INDEX returns_expire ON returns (expires_at, return_id)
    WHERE status = 'approved' AND expires_at IS NOT NULL;
