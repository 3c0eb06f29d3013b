-- What waits though no location could ever give it.
ALTER TABLE orders
    ADD COLUMN unfillable boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT orders_unfillable CHECK (backordered OR NOT unfillable);
