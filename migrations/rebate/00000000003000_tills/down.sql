drop table till_sale_voids;
drop table till_sale_returns;
drop table till_sales;
