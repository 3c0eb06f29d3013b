-- What a buyer paid with, one row per payment of an order whose channel says so. The order's row is locked by whoever
-- changes any of it.
CREATE TABLE payments (
    order_id  uuid    NOT NULL,
    -- The place among the order's payments, from 1.
    sequence  integer NOT NULL CHECK (sequence >= 1),
    method    text    NOT NULL,
    reference text,
    amount    bigint  NOT NULL CHECK (amount >= 0),
    refunded  bigint  NOT NULL DEFAULT 0,
    -- When it came into the book.
    received_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, sequence),
    CONSTRAINT payments_never_give_back_more_than_paid CHECK (refunded BETWEEN 0 AND amount)
) WITH (fillfactor = 80);

-- Money that went back, one row per time.
CREATE TABLE refunds (
    refund_id      uuid        NOT NULL PRIMARY KEY,
    -- In which order they were made.
    refund_no      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- None where nobody knows the original.
    order_id       uuid,
    return_id      uuid        UNIQUE,
    cause          text        NOT NULL CHECK (cause IN ('cancellation', 'return')),
    freight_amount bigint      NOT NULL CHECK (freight_amount >= 0),
    total_amount   bigint      NOT NULL CHECK (total_amount >= freight_amount),
    reason         text,
    refunded_at    timestamptz NOT NULL,
    CONSTRAINT refunds_of_returns_name_them CHECK ((cause = 'return') = (return_id IS NOT NULL))
);
CREATE INDEX refunds_order ON refunds (order_id, refund_no) WHERE order_id IS NOT NULL;

-- What of a refund goes to which payment.
CREATE TABLE refund_parts (
    refund_id uuid    NOT NULL REFERENCES refunds,
    order_id  uuid    NOT NULL,
    sequence  integer NOT NULL,
    amount    bigint  NOT NULL CHECK (amount > 0),
    PRIMARY KEY (refund_id, sequence),
    FOREIGN KEY (order_id, sequence) REFERENCES payments
);

-- The payments that are in the book already. What has gone back of their orders went to the first ones first.
INSERT INTO payments (order_id, sequence, method, reference, amount, refunded, received_at)
SELECT p.order_id, p.sequence, p.method, p.reference, p.amount,
       least(p.amount, greatest(0, p.given_back_amount - (p.upto - p.amount))), p.created_at
FROM (SELECT o.order_id, o.given_back_amount, o.created_at, n.sequence, n.payment ->> 'method' AS method,
             n.payment ->> 'reference' AS reference, (n.payment -> 'amount' ->> 'amount')::bigint AS amount,
             sum((n.payment -> 'amount' ->> 'amount')::bigint) OVER (PARTITION BY o.order_id ORDER BY n.sequence)::bigint
                 AS upto
      FROM orders o,
           json_array_elements(CASE WHEN json_typeof(o.document::json -> 'payments') = 'array'
               THEN o.document::json -> 'payments' ELSE '[]' END) WITH ORDINALITY AS n (payment, sequence)) p;

-- The refunds of returns that are in the book already. To which payments they went is not known one by one.
INSERT INTO refunds (refund_id, order_id, return_id, cause, freight_amount, total_amount, reason, refunded_at)
SELECT refund_id, order_id, return_id, 'return', freight_amount, refund_amount, reason, changed_at
FROM returns WHERE refund_id IS NOT NULL ORDER BY changed_at, refund_id;
