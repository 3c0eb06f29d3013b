-- What may be sold.

CREATE TABLE skus (
    sku          text PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64),
    name         text NOT NULL,
    gtin         text,
    category     text,
    brand        text,
    attributes   jsonb NOT NULL DEFAULT '{}',
    weight_grams bigint CHECK (weight_grams >= 0),
    status       text NOT NULL CHECK (status IN ('active', 'inactive')),
    -- [{sku, quantity}]: what a bundle is made of; empty for everything else.
    bundle       jsonb NOT NULL DEFAULT '[]',
    version      bigint NOT NULL CHECK (version > 0),
    updated_at   timestamptz NOT NULL
);
CREATE INDEX skus_category ON skus (category, sku) WHERE category IS NOT NULL;
CREATE UNIQUE INDEX skus_gtin ON skus (gtin) WHERE gtin IS NOT NULL;
