DROP TABLE shadow_days, replay_loads, replay_taken, replays, shipped_orders;
DROP INDEX decisions_first;
ALTER TABLE decisions DROP COLUMN seq;
