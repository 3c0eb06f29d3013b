-- A SKU's movements in the order of the ledger. Without it a page of them is looked for in the whole ledger, which for a SKU
-- that is new is read to its end.
CREATE INDEX movements_of_sku ON movements (sku, id);
