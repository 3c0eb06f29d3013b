DROP INDEX order_stays_others;
