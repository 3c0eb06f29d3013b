-- Units that tills have sold and the books could not spare: they are promised, or were never booked. What is owed is taken
-- off the books as soon as units are free, in the same transaction; the check makes forgetting it impossible.
ALTER TABLE stock
    ADD COLUMN owed bigint NOT NULL DEFAULT 0 CHECK (owed >= 0),
    ADD CONSTRAINT stock_owed_is_settled_first CHECK (owed = 0 OR on_hand = reserved + quarantined);

-- owed of a balance = Σ of it here; none where nothing of it changed, which is nearly everywhere.
ALTER TABLE movements ADD COLUMN owed bigint CHECK (owed <> 0);
ALTER TABLE movements DROP CONSTRAINT movements_check;
ALTER TABLE movements ADD CONSTRAINT movements_move_something
    CHECK (on_hand <> 0 OR quarantined <> 0 OR owed IS NOT NULL) NOT VALID;
ALTER TABLE movements DROP CONSTRAINT movements_kind_check;
ALTER TABLE movements ADD CONSTRAINT movements_kind_check CHECK (kind IN ('receipt', 'shipment', 'pos_sale', 'pos_debt',
    'return', 'transfer_out', 'transfer_in', 'adjustment', 'count', 'damage')) NOT VALID;
CREATE INDEX movements_of_debts ON movements (sku, location, id) WHERE owed IS NOT NULL;

-- What is owed, by the till's transaction that sold it, the oldest settled first; also: owed of a balance = Σ of its rows.
CREATE TABLE debts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku            text COLLATE "C" NOT NULL,
    location       text COLLATE "C" NOT NULL REFERENCES locations,
    transaction_id uuid NOT NULL,
    units          bigint NOT NULL,
    owed           bigint NOT NULL CHECK (owed BETWEEN 1 AND units),
    since          timestamptz NOT NULL
);
CREATE INDEX debts_of_stock ON debts (sku, location, id);
CREATE INDEX debts_of_location ON debts (location, id);

-- Owing balances whose units are promised, and when the order book is to be asked (again) to give some back.
CREATE TABLE debt_asks (
    sku      text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    ask_at   timestamptz NOT NULL,
    PRIMARY KEY (sku, location)
);
CREATE INDEX debt_asks_due ON debt_asks (ask_at);
