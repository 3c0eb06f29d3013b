DROP INDEX movements_of_sku;
