//! The order book by months: an order lies in the month it came in, and none is refused because its month is not there.

use serde_json::json;

use crate::support::{Shop, line, order};

/// How many orders, and how many lines, lie in a partition.
fn in_partition(shop: &Shop, name: &str) -> (i64, i64) {
    let count = |table: &str| {
        shop.number(&format!(
            "SELECT count(*) FROM \"order\".{table} WHERE tableoid = to_regclass('\"order\".{table}_{name}')"
        ))
    };
    (count("orders"), count("order_lines"))
}

fn partitions(shop: &Shop) -> i64 {
    shop.number("SELECT count(*) FROM pg_inherits WHERE inhparent = '\"order\".orders'::regclass")
}

/// Makes what is missing, a partition in each step: four tables and four months at most.
async fn make_partitions(shop: &Shop) {
    for _ in 0..=16 {
        shop.run_job("make_partitions").await;
    }
}

#[actix_web::test]
async fn an_order_whose_month_is_not_there_is_taken_and_found() {
    let shop = Shop::new().await;
    shop.test.clock.set("2031-05-10T00:00:00Z");
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000), line(2, "B", 1, 1000)])).await;
    assert_eq!(in_partition(&shop, "default"), (1, 2));
    let before = partitions(&shop);
    make_partitions(&shop).await;
    // The month whose orders are in the default partition already stays there; the next three get their own.
    assert_eq!(partitions(&shop), before + 3);
    make_partitions(&shop).await;
    assert_eq!(partitions(&shop), before + 3);

    shop.test.clock.set("2031-06-01T00:00:00Z");
    shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    shop.test.clock.set("2031-05-31T23:59:59Z");
    shop.placed("T-3", json!([line(1, "A", 1, 1000)])).await;
    assert_eq!(in_partition(&shop, "2031_06"), (1, 1));
    assert_eq!(in_partition(&shop, "default"), (2, 3));

    // A month goes by: one more is made, and the number of an order is known in every month.
    shop.test.clock.set("2031-06-30T00:00:00Z");
    make_partitions(&shop).await;
    assert_eq!(partitions(&shop), before + 4);
    let again = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1000), line(2, "B", 1, 1000)]))).await;
    assert_eq!((again.status, again.id()), (200, id));
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 3);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_numbers"), 3);
    let listed = shop.get("/v1/orders").await.body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3), "{listed}");
    shop.run_job("fold_moves").await;
    assert_eq!(shop.number("SELECT sum(orders) FROM \"order\".order_counts"), 3);
}

#[actix_web::test]
async fn a_month_that_is_there_beforehand_takes_its_orders() {
    let shop = Shop::new().await;
    shop.test.clock.set("2033-01-31T23:59:59Z");
    make_partitions(&shop).await;
    shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    shop.test.clock.set("2033-02-01T00:00:00Z");
    shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    assert_eq!(in_partition(&shop, "2033_01"), (1, 1));
    assert_eq!(in_partition(&shop, "2033_02"), (1, 1));
    assert_eq!(in_partition(&shop, "default"), (0, 0));
    // Each keeps room for the changes of its rows.
    let roomy = "SELECT count(*) FROM pg_class WHERE relname IN ('orders_2033_01', 'orders_first', 'orders_default') \
        AND 'fillfactor=50' = ANY (reloptions)";
    assert_eq!(shop.number(roomy), 3);
}
