-- Why goods come back, in the field's terms: it decides whether the freight goes back. What was returned before said it in
-- words only.
ALTER TABLE returns
    ADD COLUMN reason_code text NOT NULL DEFAULT 'other' CHECK (reason_code IN ('changed_mind', 'ordered_by_mistake',
        'does_not_fit', 'damaged', 'defective', 'wrong_item', 'missing_parts', 'not_as_described', 'late', 'other'));
