-- What tills sold to members, and what became of it. Tills send in any order: what is given back of a purchase is worked out
-- from everything that is here, whichever came first. A till's purchase has its transaction's id as order_id.

-- Members' purchases at tills, by the number that a receipt shows.
CREATE TABLE till_purchases (
    store         text NOT NULL,
    terminal      text NOT NULL,
    business_date date NOT NULL,
    sequence      bigint NOT NULL,
    order_id      uuid NOT NULL,
    PRIMARY KEY (store, terminal, business_date, sequence)
);
CREATE UNIQUE INDEX till_purchases_order_id ON till_purchases (order_id);

-- Units that came back, and the line of the transaction that had sold them, which may not have come yet.
CREATE TABLE till_purchase_returns (
    transaction_id   uuid NOT NULL,
    line_no          integer NOT NULL,
    store            text NOT NULL,
    terminal         text NOT NULL,
    business_date    date NOT NULL,
    sequence         bigint NOT NULL,
    original_line_no integer NOT NULL,
    quantity         bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (transaction_id, line_no)
);
CREATE INDEX till_purchase_returns_original ON till_purchase_returns (store, terminal, business_date, sequence);

-- Transactions that were undone.
CREATE TABLE till_purchase_voids (
    transaction_id uuid PRIMARY KEY
);

ALTER TABLE identity_evidence
    DROP CONSTRAINT identity_evidence_source_check,
    ADD CONSTRAINT identity_evidence_source_check CHECK (source IN ('order', 'request', 'till'));
