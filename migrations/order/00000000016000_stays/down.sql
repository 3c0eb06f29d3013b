DROP TABLE order_stays;
