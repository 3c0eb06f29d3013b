DROP TABLE known_listings, known_locations, known_skus, known_channels, return_lines, returns, completions, fulfilments,
    order_history, order_members, order_lines, orders;
