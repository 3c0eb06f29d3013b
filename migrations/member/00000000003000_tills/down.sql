-- Evidence that a till gave stays; to the release before a purchase was an order.
ALTER TABLE identity_evidence DROP CONSTRAINT identity_evidence_source_check;
ALTER TABLE identity_evidence DISABLE TRIGGER identity_evidence_only_grows;
UPDATE identity_evidence SET source = 'order' WHERE source = 'till';
ALTER TABLE identity_evidence ENABLE TRIGGER identity_evidence_only_grows;
ALTER TABLE identity_evidence
    ADD CONSTRAINT identity_evidence_source_check CHECK (source IN ('order', 'request'));
DROP TABLE till_purchase_voids;
DROP TABLE till_purchase_returns;
DROP TABLE till_purchases;
