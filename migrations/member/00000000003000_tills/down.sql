-- Evidence that a till gave stays, and says so.
ALTER TABLE identity_evidence
    DROP CONSTRAINT identity_evidence_source_check,
    ADD CONSTRAINT identity_evidence_source_check CHECK (source IN ('order', 'request')) NOT VALID;
DROP TABLE till_purchase_voids;
DROP TABLE till_purchase_returns;
DROP TABLE till_purchases;
