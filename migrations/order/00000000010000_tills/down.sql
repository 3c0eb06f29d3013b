DROP INDEX known_channels_feed, known_skus_feed;
ALTER TABLE known_channels DROP COLUMN feed_position, DROP COLUMN name;
ALTER TABLE known_skus DROP COLUMN feed_position, DROP COLUMN name;
DROP TABLE pos_feed_head, pos_day_tenders, pos_gaps, pos_days, pos_voids, pos_transactions, pos_tills;
