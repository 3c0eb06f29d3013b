DELETE FROM progress WHERE job = 'prove_history';
DROP INDEX movements_by_instant;
DROP TABLE count_lines, counts, delivery_lines, deliveries;
