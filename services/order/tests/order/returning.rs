//! Returns and refunds.

use actix_web::test::TestRequest;
use contracts::events::{Disposition, LocationChanged, RefundIssued, ReturnInspected, ReturnReceived};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, code, fen, line, location, order};

async fn requested(shop: &Shop, order: &str, lines: Value) -> Answer {
    shop.post("/v1/returns", json!({"order_id": order, "lines": lines, "reason": "too small"})).await
}

/// Takes a return of these lines all the way. Its last answer.
async fn returned(shop: &Shop, order: &str, lines: Value) -> Answer {
    let asked = requested(shop, order, lines).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    settle(shop, &asked).await
}

async fn settle(shop: &Shop, asked: &Answer) -> Answer {
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("approve")).await.status, 200);
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 200);
    let lines: Vec<Value> = asked.body["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| json!({"position": line["position"], "disposition": "restock"}))
        .collect();
    let inspected = shop.post(&path("inspect"), json!({"lines": lines})).await;
    assert_eq!(inspected.status, 200, "{}", inspected.body);
    let refunded = shop.act(&path("refund")).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    refunded
}

#[actix_web::test]
async fn a_return_to_another_store_is_told_step_by_step() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)])).await;
    let asked = shop
        .post("/v1/returns", json!({"channel": "tmall", "channel_order_no": "T-1", "lines": [{"sku": "A", "quantity": 2}], "location": "S1", "reason": "too small"}))
        .await;
    assert_eq!((asked.status, &asked.body["order_id"]), (201, &json!(id)), "{}", asked.body);
    assert_eq!(asked.location, Some(format!("/v1/returns/{}", asked.id())));
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("receive")).await.code(), (409, "state_conflict"), "it is not approved yet");
    shop.act(&path("approve")).await;
    shop.act(&path("receive")).await;
    assert_eq!(shop.act(&path("refund")).await.code(), (409, "state_conflict"), "nobody has looked at it");
    let half = json!({"lines": [{"line_no": 1, "quantity": 1, "disposition": "restock"}]});
    assert_eq!(shop.post(&path("inspect"), half).await.fields(), ["lines"]);
    let lines = json!([{"line_no": 1, "quantity": 1, "disposition": "restock"}, {"sku": "A", "disposition": "scrap"}]);
    let inspected = shop.post(&path("inspect"), json!({"lines": lines})).await;
    assert_eq!(inspected.body["lines"][0]["dispositions"].as_array().unwrap().len(), 2, "{}", inspected.body);
    let refunded = shop.act(&path("refund")).await;
    assert_eq!((&refunded.body["status"], &refunded.body["refund_amount"]), (&json!("refunded"), &fen(2000)));
    let received: Vec<ReturnReceived> = told(&shop.test.store).await;
    assert_eq!((received[0].location.as_str(), received[0].lines[0].quantity.get()), ("S1", 2));
    let inspected: Vec<ReturnInspected> = told(&shop.test.store).await;
    let parts: Vec<_> = inspected[0].lines.iter().map(|it| (it.quantity.get(), it.disposition)).collect();
    assert_eq!(parts, [(1, Some(Disposition::Restock)), (1, Some(Disposition::Scrap))]);
    let refunds: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((refunds[0].lines[0].amount, refunds[0].freight_amount, refunds[0].total_amount), (2000, 0, 2000));
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["payment_status"]), (&json!("delivered"), &json!("partially_refunded")));
    assert_eq!(order["returns"][0]["id"], asked.id());
}

#[actix_web::test]
async fn any_split_ends_exactly_at_what_was_paid() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 3, 100), line(2, "SET", 2, 333)]));
    body["discount"] = fen(297);
    body["freight"] = fen(11);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3), (2, "CUP", "W1", 4), (2, "POT", "W1", 2)])).await;
    assert_eq!(
        shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 1}]})).await.status,
        200
    );
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship", "deliver"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
    }
    for lines in [
        json!([{"line_no": 2, "quantity": 1}]),
        json!([{"line_no": 1, "quantity": 1}]),
        json!([{"line_no": 1, "quantity": 1}]),
    ] {
        let refunded = returned(&shop, &id, lines).await;
        assert_eq!(refunded.body["freight_amount"], fen(0));
    }
    // Listed 300 + 666, a discount of 297 in the proportion 300:666 is 92.24 : 204.76 → 92 and 205; so 208 and 461 are
    // paid, and 11 for the freight: 680 in all.
    let last = returned(&shop, &id, json!([{"sku": "SET", "quantity": 1}])).await;
    assert_eq!(last.body["freight_amount"], fen(11));
    let order = shop.order(&id).await;
    assert_eq!((&order["payment_status"], &order["totals"]["given_back_amount"]), (&json!("refunded"), &fen(680)));
    assert_eq!(order["totals"]["total_amount"], fen(680));
    let refunds: Vec<RefundIssued> = told(&shop.test.store).await;
    let of_line = |number| {
        refunds
            .iter()
            .flat_map(|it| &it.lines)
            .filter(|it| it.line_no == number)
            .map(|it| it.amount)
            .collect::<Vec<_>>()
    };
    // 208 over three units: 69.33 → 69 for the cancelled one, then 139 − 69 = 70, then 69.
    assert_eq!(of_line(1), [70, 69]);
    // 461 over two: 230.5 → 231, then 230.
    assert_eq!(of_line(2), [231, 230]);
    let received: Vec<ReturnReceived> = told(&shop.test.store).await;
    let parts: Vec<_> = received[0].lines.iter().map(|it| (it.sku.as_str(), it.quantity.get())).collect();
    assert_eq!(parts, [("CUP", 2), ("POT", 1)], "a bundle comes back as what it is made of");
}

#[actix_web::test]
async fn many_returns_at_once_claim_no_more_than_was_shipped() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 5, 999)])).await;
    let asked = join_all((0..12).map(|_| requested(&shop, &id, json!([{"line_no": 1, "quantity": 1}])))).await;
    assert_eq!(asked.iter().filter(|answer| answer.status == 201).count(), 5);
    let refused: Vec<_> = asked.iter().filter(|answer| answer.status != 201).collect();
    assert_eq!(refused.len(), 7);
    assert!(refused.iter().all(|answer| answer.code() == (422, "invalid_field")));
    assert_eq!(refused[0].fields(), ["lines[0].quantity"]);
    // A return that is cancelled gives its units free again.
    let given_up = asked.iter().find(|answer| answer.status == 201).unwrap();
    assert_eq!(shop.act(&format!("/v1/returns/{}/cancel", given_up.id())).await.status, 200);
    assert_eq!(requested(&shop, &id, json!([{"line_no": 1, "quantity": 1}])).await.status, 201);
}

#[actix_web::test]
async fn a_refund_is_issued_once() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 1, 999)])).await;
    let asked = requested(&shop, &id, json!([{"line_no": 1, "quantity": 1}])).await;
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    shop.act(&path("approve")).await;
    shop.post(&path("receive"), json!({"location": "S1"})).await;
    shop.post(&path("inspect"), json!({"lines": [{"position": 1, "disposition": "quarantine"}]})).await;
    let refund = path("refund");
    let answers = join_all((0..8).map(|_| shop.act(&refund))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(told::<RefundIssued>(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn a_return_without_an_original_says_what_it_is_worth() {
    let shop = Shop::new().await;
    let form = |number: &str| {
        json!({
            "channel": "tmall", "return_no": number, "reason": "no receipt", "location": "S1",
            "buyer": {"identities": [{"type": "phone", "value": "1"}]},
            "lines": [
                {"sku": "A", "quantity": 3, "unit_price_decimal": "0.125"},
                {"sku": "B", "quantity": 1, "refund_amount": fen(500)},
            ],
        })
    };
    let asked = shop.post("/v1/returns", form("R-1")).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let again = shop.post("/v1/returns", form("R-1")).await;
    assert_eq!((again.status, again.id()), (200, asked.id()));
    let mut other = form("R-1");
    other["lines"][1]["quantity"] = json!(2);
    assert_eq!(shop.post("/v1/returns", other).await.code(), (409, "contradiction"));
    let refunded = settle(&shop, &asked).await;
    // 3 × 0.125 = 0.375 → 38 fen.
    assert_eq!(refunded.body["refund_amount"], fen(538));
    let refunds: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((refunds[0].order_id, refunds[0].lines.len(), refunds[0].total_amount), (None, 0, 538));
}

#[actix_web::test]
async fn what_cannot_be_returned_is_refused_by_field() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    let refused = requested(&shop, &id, json!([{"line_no": 1, "quantity": 1}])).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["lines[0].quantity"]), "nothing has shipped");
    let cases = [
        ("lines", json!({"order_id": id, "lines": [], "reason": "r"})),
        ("reason", json!({"order_id": id, "lines": [{"line_no": 1, "quantity": 1}], "reason": "a\u{0}"})),
        ("lines[0].line_no", json!({"order_id": id, "lines": [{"line_no": 9, "quantity": 1}], "reason": "r"})),
        (
            "lines[0].refund_amount",
            json!({"order_id": id, "lines": [{"line_no": 1, "quantity": 1, "refund_amount": fen(1)}], "reason": "r"}),
        ),
        ("channel", json!({"lines": [{"sku": "A", "quantity": 1, "refund_amount": fen(1)}], "reason": "r"})),
        (
            "channel",
            json!({"channel": "jd", "lines": [{"sku": "A", "quantity": 1, "refund_amount": fen(1)}], "reason": "r"}),
        ),
        (
            "channel_order_no",
            json!({"channel": "tmall", "channel_order_no": "T-404", "lines": [{"line_no": 1, "quantity": 1}], "reason": "r"}),
        ),
        ("lines[0].refund_amount", json!({"channel": "tmall", "lines": [{"sku": "A", "quantity": 1}], "reason": "r"})),
        (
            "lines[0].sku",
            json!({"channel": "tmall", "lines": [{"sku": "NOPE", "quantity": 1, "refund_amount": fen(1)}], "reason": "r"}),
        ),
        (
            "location",
            json!({"order_id": id, "location": "NOWHERE", "lines": [{"line_no": 1, "quantity": 1}], "reason": "r"}),
        ),
    ];
    for (field, body) in cases {
        let answer = shop.post("/v1/returns", body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{body}: {}", answer.body);
    }
}

#[actix_web::test]
async fn a_store_sees_the_returns_that_come_to_it() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 2, 1000)])).await;
    let at = |location: &str| json!({"order_id": id, "location": location, "lines": [{"line_no": 1, "quantity": 1}], "reason": "r"});
    let (here, there) = (shop.post("/v1/returns", at("S1")).await.id(), shop.post("/v1/returns", at("W1")).await.id());
    let mut till = shop.claims("return:*");
    till.locations = Some([code("S1")].into());
    let list = shop.send(&till, TestRequest::get().uri("/v1/returns")).await;
    let ids: Vec<_> = list.body["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!(here)]);
    assert_eq!(shop.send(&till, TestRequest::get().uri(&format!("/v1/returns/{there}"))).await.status, 403);
    let approve = |id: &str| TestRequest::post().uri(&format!("/v1/returns/{id}/approve"));
    assert_eq!(shop.send(&till, approve(&there)).await.status, 403);
    assert_eq!(shop.send(&till, approve(&here)).await.status, 200);
    let elsewhere = TestRequest::post().uri(&format!("/v1/returns/{here}/receive")).set_json(json!({"location": "W1"}));
    assert_eq!(shop.send(&till, elsewhere).await.status, 403);
}

#[actix_web::test]
async fn a_location_that_takes_no_returns_is_refused_by_field() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 2, 1000)])).await;
    let at = |takes_returns, version| LocationChanged { takes_returns, version, ..location("S1") };
    shop.hear(&at(Some(false), 2)).await;
    let lines = json!([{"line_no": 1, "quantity": 1}]);
    let body = json!({"order_id": id, "location": "S1", "lines": lines, "reason_code": "late"});
    let refused = shop.post("/v1/returns", body.clone()).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "refused_by_rule"), vec!["location"]));
    let asked = requested(&shop, &id, lines).await;
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("approve")).await.status, 200);
    let refused = shop.post(&path("receive"), json!({"location": "S1"})).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "refused_by_rule"), vec!["location"]));
    // Another process reads it from its table.
    let elsewhere = TestRequest::post().uri("/v1/returns").set_json(body.clone());
    assert_eq!(shop.send_to(&shop.replica(), &shop.claims("*"), elsewhere).await.status, 422);
    // What is older than that changes nothing, and a release that does not say so takes returns.
    shop.hear(&at(Some(true), 1)).await;
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 422);
    shop.hear(&at(None, 3)).await;
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 200);
    assert_eq!(shop.post("/v1/returns", body).await.status, 201);
}
