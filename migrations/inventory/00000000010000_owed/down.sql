DROP TABLE debt_asks;
DROP TABLE debts;
DROP INDEX movements_of_debts;
ALTER TABLE movements DROP CONSTRAINT movements_move_something;
ALTER TABLE movements DROP CONSTRAINT movements_kind_check;
ALTER TABLE movements DROP COLUMN owed;
ALTER TABLE movements ADD CONSTRAINT movements_check CHECK (on_hand <> 0 OR quarantined <> 0) NOT VALID;
ALTER TABLE movements ADD CONSTRAINT movements_kind_check CHECK (kind IN ('receipt', 'shipment', 'pos_sale', 'return',
    'transfer_out', 'transfer_in', 'adjustment', 'count', 'damage')) NOT VALID;
ALTER TABLE stock DROP COLUMN owed;
