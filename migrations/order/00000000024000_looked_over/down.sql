DROP INDEX order_stays_worked_on;
