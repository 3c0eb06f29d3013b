DROP TABLE order_blacklist;
DROP TABLE order_buyers;
