//! Orders are found by what people know of them, also where nothing is sorted in yet.

use actix_web::test::TestRequest;
use contracts::events::BuyerIdentified;
use kernel::id::MemberId;
use serde_json::{Value, json};

use crate::support::{Shop, answered, code, line, order};

fn numbers(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|it| it["channel_order_no"].as_str().unwrap()).collect()
}

/// Tries searches before and after the job has sorted the orders in: the answers are the same.
async fn each_finds(shop: &Shop, expected: &[(&str, &[&str])]) {
    for _ in 0..2 {
        for (query, orders) in expected {
            let page = shop.get(&format!("/v1/orders?{query}")).await.body;
            assert_eq!((numbers(&page), &page["next_cursor"]), (orders.to_vec(), &Value::Null), "{query}");
        }
        shop.run_job("fold_moves").await;
    }
}

/// Places an order on a day of November.
async fn placed(shop: &Shop, number: &str, day: u32, lines: Value, change: impl FnOnce(&mut Value)) -> String {
    let mut body = order(number, lines);
    body["placed_at"] = json!(format!("2026-11-{day:02}T12:00:00+08:00"));
    change(&mut body);
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.id()
}

async fn a_book(shop: &Shop) -> Vec<String> {
    let one = placed(shop, "T-100", 1, json!([line(1, "A", 1, 1000)]), |body| {
        body["fulfilment"]["ship_to"]["phone"] = json!("+86 139-1234-5678");
        body["guide"] = json!("G1");
        body["store"] = json!("S1");
    });
    let one = one.await;
    let two = placed(shop, "T-101", 2, json!([line(1, "A", 1, 1000), line(2, "B", 1, 500)]), |body| {
        body["buyer"] =
            json!({"identities": [{"type": "phone", "value": "138****5678"}, {"type": "jd_pin", "value": "x1111"}]});
        body["store"] = json!("S1");
    });
    let two = two.await;
    let three = placed(shop, "T-200", 3, json!([line(1, "B", 1, 500), line(2, "B", 2, 500)]), |body| {
        body["guide"] = json!("G1");
    });
    let three = three.await;
    let four = placed(
        shop,
        "T-100",
        4,
        json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "99"}]),
        |body| {
            (body["channel"], body["currency"]) = (json!("till"), json!("JPY"));
            body["buyer"] = json!({});
        },
    );
    vec![one, two, three, four.await]
}

#[actix_web::test]
async fn each_filter_and_all_of_them_together() {
    let shop = Shop::new().await;
    let ids = a_book(&shop).await;
    let member = MemberId::at(shop.test.store.now());
    for id in ids.iter().take(2) {
        shop.hear(&BuyerIdentified { order_id: id.parse().unwrap(), member_id: Some(member), tier: None }).await;
    }
    shop.hear(&answered(&ids[1], 1, &[(1, "A", "W1", 1), (2, "B", "W1", 1)])).await;
    shop.act(&format!("/v1/orders/{}/cancel", ids[2])).await;
    let of_member = format!("member={member}");
    let all = format!(
        "channel=tmall&order_no_prefix=T-1&phone_tail=5678&sku=A&store=S1&guide=G1&member={member}&status=sourcing\
         &payment_status=paid&from=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z"
    );
    let expected: &[(&str, &[&str])] = &[
        ("order_no=T-100", &["T-100", "T-100"]),
        ("order_no=T-100&channel=till", &["T-100"]),
        ("order_no=T-10", &[]),
        ("channel_order_no=T-200", &["T-200"]),
        ("order_no_prefix=T-10", &["T-100", "T-101", "T-100"]),
        ("order_no_prefix=T-2&status=sourcing", &[]),
        ("phone_tail=5678", &["T-101", "T-100"]),
        // The buyer's telephone of the other orders; a pin is none.
        ("phone_tail=8000", &["T-200", "T-100"]),
        ("phone_tail=1111", &[]),
        ("phone_tail=5678&guide=G1", &["T-100"]),
        ("sku=A", &["T-100", "T-101", "T-100"]),
        ("sku=B", &["T-200", "T-101"]),
        ("sku=B&store=S1", &["T-101"]),
        ("store=S1", &["T-101", "T-100"]),
        ("guide=G1", &["T-200", "T-100"]),
        ("guide=G1&payment_status=refunded", &["T-200"]),
        ("status=sourcing", &["T-100", "T-100"]),
        ("status=sourced,cancelled", &["T-200", "T-101"]),
        ("status=sourced,cancelled&sku=A", &["T-101"]),
        ("payment_status=refunded", &["T-200"]),
        ("guide=G1&payment_status=paid", &["T-100"]),
        ("sku=B&payment_status=paid,unpaid", &["T-101"]),
        ("sku=B&payment_status=paid,refunded&store=S1", &["T-101"]),
        ("payment_status=paid,refunded&channel=tmall", &["T-200", "T-101", "T-100"]),
        (&of_member, &["T-101", "T-100"]),
        ("until=2026-11-02T04:00:00Z", &["T-100"]),
        ("from=2026-11-03T04:00:00Z&sku=B", &["T-200"]),
        (&all, &["T-100"]),
    ];
    each_finds(&shop, expected).await;
    for bad in ["phone_tail=567", "phone_tail=567x", "order_no=", "order_no_prefix=%0a%00"] {
        assert_eq!(shop.get(&format!("/v1/orders?{bad}")).await.fields().len(), 1, "{bad}");
    }
    for bad in ["status=sourced,lost", "payment_status=", "sku=B&sku=A", "order_no=1&channel_order_no=1"] {
        let answer = shop.get(&format!("/v1/orders?{bad}")).await;
        assert_eq!((answer.status, answer.fields().len()), (400, 1), "{bad}: {}", answer.body);
    }
}

#[actix_web::test]
async fn pages_of_a_search_join_without_a_gap_while_orders_move() {
    let shop = Shop::new().await;
    let mut ids = Vec::new();
    for day in 1..=9 {
        let sku = if day % 3 == 0 { "B" } else { "A" };
        ids.push(placed(&shop, &format!("T-{day}"), day, json!([line(1, sku, 1, 1000)]), |_| {}).await);
    }
    shop.run_job("fold_moves").await;
    let first = shop.get("/v1/orders?sku=A&status=sourcing&limit=2").await.body;
    assert_eq!(numbers(&first), ["T-8", "T-7"]);
    // One that was shown and one that was not are sourced meanwhile: the list goes on as the book now is.
    for index in [7, 4] {
        shop.hear(&answered(&ids[index], 1, &[(1, "A", "W1", 1)])).await;
    }
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shop.get(&format!("/v1/orders?sku=A&status=sourcing&limit=2&cursor={cursor}")).await.body;
    assert_eq!(numbers(&second), ["T-4", "T-2"]);
    let cursor = second["next_cursor"].as_str().unwrap();
    let third = shop.get(&format!("/v1/orders?sku=A&status=sourcing&limit=2&cursor={cursor}")).await.body;
    assert_eq!((numbers(&third), &third["next_cursor"]), (vec!["T-1"], &Value::Null));
    // What was left is no longer proposed once the job has sorted it out.
    shop.run_job("fold_moves").await;
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_terms WHERE term = 'status:sourcing'"), 7);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_terms WHERE term = 'status:sourced'"), 2);
}

#[actix_web::test]
async fn a_search_that_finds_little_answers_after_bounded_work_and_goes_on() {
    let shop = Shop::new().await;
    placed(&shop, "T-1", 1, json!([line(1, "B", 1, 1000)]), |_| {}).await;
    // Many newer ones of the same SKU stand elsewhere: one page does not look at all of them.
    shop.test.database.execute(
        "SET search_path TO \"order\"; INSERT INTO orders (order_id, channel, channel_order_no, content, placed_at, created_at, created_by, currency, \
         list_amount, discount_amount, freight_amount, total_amount, fulfilment_kind, document, status, payment_status) \
         SELECT gen_random_uuid(), 'tmall', 'X-' || n, '', timestamptz '2026-11-05' + n * interval '1 second', now(), 'x', \
         'CNY', 0, 0, 0, 0, 'ship', '{\"buyer\":{\"identities\":[]},\"fulfilment\":{\"type\":\"ship\"}}', 'shipped', \
         'paid' FROM generate_series(1, 9000) n; \
         INSERT INTO order_numbers SELECT channel, channel_order_no, order_id, placed_at FROM orders \
         ON CONFLICT DO NOTHING; \
         INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price, own_discount, list_amount, \
         discount_amount, paid_amount, freight_amount) \
         SELECT order_id, 1, 'B', 1, 0, 0, 0, 0, 0, 0 FROM \"order\".orders WHERE status = 'shipped'",
    );
    let pages = async |query: &str| {
        let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = shop.get(&format!("/v1/orders?{query}{cursor}")).await.body;
            found.extend(numbers(&page).into_iter().map(str::to_owned));
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { return (found, pages) };
            cursor = format!("&cursor={next}");
        }
    };
    // 9,001 orders wait to be sorted in, too many to look at each: the channel's own list proposes, 2,000 a page.
    assert_eq!(pages("sku=B&status=sourcing,cancelled").await, (vec!["T-1".to_owned()], 5));
    while shop.number("SELECT count(*) FROM \"order\".order_moves") > 0 {
        shop.run_job("fold_moves").await;
    }
    // Sorted in, the short list of the state proposes.
    assert_eq!(pages("sku=B&status=sourcing,cancelled").await, (vec!["T-1".to_owned()], 1));
    // Where the states' long list has nothing older, the list of the SKU is not read either.
    assert_eq!(pages("sku=B&status=shipped&until=2026-11-05T00:00:00Z").await, (Vec::new(), 1));
    assert_eq!(pages("sku=B&order_no_prefix=T-").await, (vec!["T-1".to_owned()], 1));
    assert_eq!(pages("sku=B&order_no_prefix=X-999").await.0.len(), 1);
    assert_eq!(pages("sku=B&limit=500").await.0.len(), 9001);
    assert_eq!(pages("order_no_prefix=X-&limit=500").await.0.len(), 9000);
}

#[actix_web::test]
async fn another_address_is_found_by_its_telephone_and_the_one_before_no_longer() {
    let shop = Shop::new().await;
    let id = placed(&shop, "T-1", 1, json!([line(1, "A", 1, 1000)]), |body| {
        body["fulfilment"]["ship_to"]["phone"] = json!("139 1234 5678");
        body["guide"] = json!("G1");
    })
    .await;
    shop.run_job("fold_moves").await;
    let address = json!({"country": "CN", "province": "上海市", "phone": "139 1234 9999", "latitude": 31.23, "longitude": 121.47});
    let change = TestRequest::patch().uri(&format!("/v1/orders/{id}")).set_json(json!({"ship_to": address}));
    assert_eq!(shop.send(&shop.claims("*"), change).await.status, 200);
    let expected: &[(&str, &[&str])] = &[
        ("phone_tail=9999", &["T-1"]),
        ("phone_tail=5678", &[]),
        ("phone_tail=8000", &["T-1"]),
        ("guide=G1", &["T-1"]),
    ];
    each_finds(&shop, expected).await;
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_terms WHERE term LIKE 'phone:%'"), 2);
    assert_eq!(shop.get("/v1/orders/counts").await.body["orders"], 1);
}

#[actix_web::test]
async fn a_caller_of_one_channel_finds_nothing_of_another() {
    let shop = Shop::new().await;
    a_book(&shop).await;
    let mut claims = shop.claims("order:read");
    claims.channels = Some([code("till")].into());
    for _ in 0..2 {
        for (query, found) in [("sku=A", 1), ("store=S1", 0), ("order_no=T-100", 1), ("status=sourcing", 1), ("", 1)] {
            let page = shop.send(&claims, TestRequest::get().uri(&format!("/v1/orders?{query}"))).await.body;
            assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
        }
        shop.run_job("fold_moves").await;
    }
}

#[actix_web::test]
async fn held_orders_are_found_whoever_holds_them() {
    let shop = Shop::new().await;
    let rules = json!({"rules": [{"name": "n", "reason": "r", "when": {"lines": {"sku": ["B"]}}}]});
    assert_eq!(shop.post("/v1/order-hold-rules", rules).await.status, 201);
    assert_eq!(shop.act("/v1/order-hold-rules/1/activate").await.status, 200);
    let by_person = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let by_rule = shop.placed("T-2", json!([line(1, "B", 1, 1000)])).await;
    let free = shop.placed("T-3", json!([line(1, "A", 1, 1000)])).await;
    let held = shop.post(&format!("/v1/orders/{by_person}/hold"), json!({"reason": "doubt"})).await;
    assert_eq!(held.status, 200, "{}", held.body);
    for sorted_in in [false, true] {
        if sorted_in {
            shop.run_job("fold_moves").await;
        }
        for (query, mut wanted) in [
            ("held=true", vec![&by_person, &by_rule]),
            ("held=false", vec![&free]),
            ("status=held", vec![&by_rule]),
            ("held=true&sku=A", vec![&by_person]),
            ("held=true&store=S1", vec![]),
            ("held=false&sku=B", vec![]),
        ] {
            let page = shop.get(&format!("/v1/orders?{query}")).await.body;
            let mut found: Vec<&str> =
                page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{query}");
        }
    }
}
