DROP TABLE arrivals, backorder_lines, backorders, decisions, reserved_lines, reservations, proved, progress, changes, movements,
    availability, stock, bundle_parts, skus, locations;
DROP FUNCTION movements_only_grow();
