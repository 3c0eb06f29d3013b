-- What a buyer collects may come from another location: a store that takes it in hands it over.
ALTER TABLE locations ADD COLUMN takes_in boolean NOT NULL DEFAULT false;
ALTER TABLE movements DROP CONSTRAINT movements_kind_check;
ALTER TABLE movements ADD CONSTRAINT movements_kind_check CHECK (kind IN ('receipt', 'shipment', 'pos_sale', 'pos_debt',
    'return', 'transfer_out', 'transfer_in', 'adjustment', 'count', 'damage', 'sent', 'arrived')) NOT VALID;

-- What is on its way to be collected: it is on no shelf, and incoming where it goes.
CREATE TABLE sent_lines (
    fulfilment text    COLLATE "C" NOT NULL,
    order_id   uuid    NOT NULL,
    line_no    integer NOT NULL,
    sku        text    COLLATE "C" NOT NULL,
    location   text    COLLATE "C" NOT NULL REFERENCES locations,
    quantity   bigint  NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (fulfilment, line_no, sku)
);
CREATE INDEX sent_lines_of_stock ON sent_lines (sku, location);
