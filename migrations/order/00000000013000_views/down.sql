DROP TABLE order_events;
DROP TRIGGER moved_orders_are_counted ON orders;
DROP TRIGGER orders_are_counted ON orders;
DROP FUNCTION note_moved_orders, note_new_orders, order_document_terms;
DROP TABLE order_terms, order_counts, order_moves;
DROP INDEX orders_channel_placed;
CREATE INDEX orders_placed ON orders (placed_at, order_id);
