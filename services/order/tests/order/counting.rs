//! Orders by channel and state: kept, and always what the book holds.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Shop, answered, code, line, order};

/// `(channel, state, orders)` as it is told.
fn told(body: &Value) -> Vec<(String, String, i64)> {
    let channels = body["channels"].as_array().unwrap().iter();
    let rows = channels.flat_map(|channel| {
        let states = channel["statuses"].as_array().unwrap().iter();
        states.map(|it| (channel["channel"].clone(), it["status"].clone(), it["orders"].as_i64().unwrap()))
    });
    rows.map(|(channel, status, orders)| (channel.as_str().unwrap().into(), status.as_str().unwrap().into(), orders))
        .collect()
}

/// Compares what is kept with what is in the book, state by state.
fn differences(shop: &Shop) -> i64 {
    shop.number(
        "SELECT count(*) FROM (SELECT channel, status, payment_status, count(*) AS orders FROM \"order\".orders GROUP BY 1, 2, 3) b \
         FULL JOIN (SELECT channel, status, payment_status, sum(orders) AS orders FROM (\
         SELECT channel, status, payment_status, orders FROM \"order\".order_counts \
         UNION ALL SELECT channel, status, payment_status, moved FROM \"order\".order_moves \
         UNION ALL SELECT channel, status_before, payment_before, -moved FROM \"order\".order_moves \
         WHERE status_before IS NOT NULL) k GROUP BY 1, 2, 3) k USING (channel, status, payment_status) \
         WHERE coalesce(b.orders, 0) <> coalesce(k.orders, 0)",
    )
}

#[actix_web::test]
async fn every_change_is_counted_at_once_and_stays_counted() {
    let shop = Shop::new().await;
    let first = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    shop.placed("T-2", json!([line(1, "A", 1, 1000)])).await;
    let mut yen = order("J-1", json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "99"}]));
    (yen["channel"], yen["currency"]) = (json!("till"), json!("JPY"));
    assert_eq!(shop.post("/v1/orders", yen).await.status, 201);
    let row = |channel: &str, status: &str, orders| (channel.to_owned(), status.to_owned(), orders);
    let counts = shop.get("/v1/orders/counts").await.body;
    assert_eq!(counts["orders"], 3);
    assert_eq!(told(&counts), [row("till", "sourcing", 1), row("tmall", "sourcing", 2)]);
    // Where some are folded and others are not, nothing is counted twice or left out.
    shop.run_job("fold_moves").await;
    shop.hear(&answered(&first, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_moves"), 1);
    let expected = [row("till", "sourcing", 1), row("tmall", "sourcing", 1), row("tmall", "sourced", 1)];
    assert_eq!(told(&shop.get("/v1/orders/counts").await.body), expected);
    shop.act(&format!("/v1/orders/{first}/cancel")).await;
    for _ in 0..2 {
        let counts = shop.get("/v1/orders/counts?channel=tmall").await.body;
        assert_eq!(told(&counts), [row("tmall", "sourcing", 1), row("tmall", "cancelled", 1)]);
        let payments = json!([{"payment_status": "paid", "orders": 1}, {"payment_status": "refunded", "orders": 1}]);
        assert_eq!((&counts["orders"], &counts["channels"][0]["payment_statuses"]), (&json!(2), &payments));
        assert_eq!(differences(&shop), 0);
        shop.run_job("fold_moves").await;
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_moves"), 0);
}

#[actix_web::test]
async fn two_intakes_at_once_leave_the_counts_equal_to_the_book() {
    let shop = Shop::with(&[("INTAKE_LANES", "2"), ("INTAKE_BATCH", "8")]).await;
    let other = shop.replica();
    let claims = shop.claims("*");
    // A third of the orders comes to both processes at once; each is in the book once, so it counts once.
    let place = |number: usize| {
        let body = order(&format!("T-{number}"), json!([line(1, "A", 1, 1000)]));
        TestRequest::default().method(Method::POST).uri("/v1/orders").set_json(body)
    };
    let here = join_all((0..60).map(|number| shop.send(&claims, place(number))));
    let there = join_all((40..100).map(|number| shop.send_to(&other, &claims, place(number))));
    let fold = async {
        for _ in 0..5 {
            shop.run_job("fold_moves").await;
        }
    };
    let (here, there, ()) = futures_util::join!(here, there, fold);
    assert!(here.iter().chain(&there).all(|answer| matches!(answer.status, 200 | 201)));
    let ids: Vec<String> = here.iter().map(Answer::id).collect();
    // Half of them are sourced while others are cancelled.
    let sourced = async {
        for id in ids.iter().take(30) {
            shop.hear(&answered(id, 1, &[(1, "A", "W1", 1)])).await;
        }
    };
    let cancelled = async {
        for id in ids.iter().skip(15).take(30) {
            assert_eq!(shop.act(&format!("/v1/orders/{id}/cancel")).await.status, 200);
        }
    };
    let fold = async {
        for _ in 0..20 {
            shop.run_job("fold_moves").await;
        }
    };
    futures_util::join!(sourced, cancelled, fold);
    assert_eq!(differences(&shop), 0);
    shop.run_job("fold_moves").await;
    assert_eq!((differences(&shop), shop.number("SELECT count(*) FROM \"order\".order_moves")), (0, 0));
    let counts = shop.get("/v1/orders/counts").await.body;
    let of = |status: &str| told(&counts).iter().find(|(_, it, _)| it == status).map(|it| it.2);
    // 15 were sourced and left alone; 30 are cancelled, whichever came first.
    assert_eq!((of("sourced"), of("cancelled")), (Some(15), Some(30)));
    assert_eq!(counts["orders"].as_i64().unwrap(), shop.number("SELECT count(*) FROM \"order\".orders"));
}

#[actix_web::test]
async fn a_caller_of_one_channel_is_told_of_that_channel() {
    let shop = Shop::new().await;
    shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let mut claims = shop.claims("order:read");
    claims.channels = Some([code("till")].into());
    let get = |uri: &str| TestRequest::get().uri(uri);
    assert_eq!(shop.send(&claims, get("/v1/orders/counts")).await.body, json!({"orders": 0, "channels": []}));
    assert_eq!(shop.send(&claims, get("/v1/orders/counts?channel=tmall")).await.status, 403);
}
