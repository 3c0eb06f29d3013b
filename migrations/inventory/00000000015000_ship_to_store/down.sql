DROP TABLE sent_lines;
ALTER TABLE movements DROP CONSTRAINT movements_kind_check;
ALTER TABLE movements ADD CONSTRAINT movements_kind_check CHECK (kind IN ('receipt', 'shipment', 'pos_sale', 'pos_debt',
    'return', 'transfer_out', 'transfer_in', 'adjustment', 'count', 'damage')) NOT VALID;
ALTER TABLE locations DROP COLUMN takes_in;
