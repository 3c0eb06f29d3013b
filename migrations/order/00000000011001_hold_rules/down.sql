DROP TABLE order_hold_rulesets;
