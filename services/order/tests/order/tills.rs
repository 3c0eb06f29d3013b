//! What tills wrote: taken once, in any order, one by one.

use actix_web::test::TestRequest;
use contracts::events::{PosKind, PosRecorded};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, code, fen};

/// A sale of so many `A` at 10.00, paid in cash.
pub fn sale(sequence: i64, quantity: i64) -> Value {
    json!({
        "store": "S1", "terminal": "T1", "business_date": "2026-11-11", "sequence": sequence, "kind": "sale",
        "occurred_at": "2026-11-11T10:00:00+08:00", "channel": "tmall", "currency": "CNY",
        "lines": [{"line_no": 1, "sku": "A", "quantity": quantity, "unit_price": fen(1000)}],
        "tenders": [{"method": "cash", "amount": fen(1000 * quantity)}],
    })
}

/// A void of an earlier number of that day.
pub fn void(sequence: i64, of: i64) -> Value {
    let mut body = sale(sequence, 1);
    body["kind"] = json!("void");
    body["voids"] = json!({"business_date": "2026-11-11", "sequence": of});
    body["lines"] = json!([]);
    body["tenders"] = json!([]);
    body
}

/// Sends a batch; the answers' results.
pub async fn send(shop: &Shop, batch: &[Value]) -> Answer {
    let answer = shop.post("/v1/pos/transactions", json!(batch)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

pub fn results(answer: &Answer) -> Vec<&str> {
    answer.body.as_array().unwrap().iter().map(|it| it["result"].as_str().unwrap()).collect()
}

async fn read(shop: &Shop, id: &Value) -> Value {
    shop.get(&format!("/v1/pos/transactions/{}", id.as_str().unwrap())).await.body
}

#[actix_web::test]
async fn a_sale_is_taken_told_and_read_back() {
    let shop = Shop::new().await;
    let mut body = sale(1, 2);
    body["buyer"] = json!({"identities": [{"type": "phone", "value": "+8613800138000"}], "name": "王小明"});
    body["guide"] = json!("G7");
    body["note"] = json!("gift");
    body["lines"][0]["discount"] = fen(100);
    body["tenders"] = json!([{"method": "cash", "amount": fen(2000)}, {"method": "cash", "amount": fen(-100)}]);
    let answer = send(&shop, &[body]).await;
    assert_eq!(results(&answer), ["new"]);
    let view = read(&shop, &answer.body[0]["id"]).await;
    assert_eq!(
        (&view["total_amount"], &view["buyer"]["name"], &view["guide"]),
        (&fen(1900), &json!("王小明"), &json!("G7"))
    );
    assert_eq!(
        (&view["lines"][0]["list_amount"], &view["lines"][0]["unit_price_decimal"]),
        (&fen(2000), &json!("10.00"))
    );
    let told: Vec<PosRecorded> = told(&shop.test.store).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].sequence, told[0].total_amount), (PosKind::Sale, 1, 1900));
    assert_eq!((told[0].lines[0].quantity, told[0].lines[0].category.as_deref()), (2, Some("tea")));
    assert_eq!(told[0].buyer.identities[0].value, "+8613800138000");
    let lost = "/v1/pos/transactions/01935f00-0000-7000-8000-000000000001";
    assert_eq!(shop.get(lost).await.code(), (404, "not_found"));
}

#[actix_web::test]
async fn units_that_come_back_name_the_line_that_sold_them() {
    let shop = Shop::new().await;
    let mut back = sale(2, -1);
    back["kind"] = json!("return");
    back["lines"][0]["original"] = json!({"business_date": "2026-11-10", "sequence": 1, "line_no": 4});
    let mut spelled = back.clone();
    spelled["lines"][0]["original"]["store"] = json!("S1");
    spelled["lines"][0]["original"]["terminal"] = json!("T1");
    let mut other = back.clone();
    other["lines"][0]["original"]["line_no"] = json!(3);
    let mut unknown = back.clone();
    unknown["lines"][0]["original"] = json!(null);
    let mut sold = sale(3, 1);
    sold["lines"][0]["original"] = json!({"terminal": "", "business_date": "2026-11-10", "sequence": 0, "line_no": 0});
    let answer = send(&shop, &[back, spelled, other, unknown, sold]).await;
    assert_eq!(results(&answer), ["new", "known", "refused", "refused", "refused"]);
    let full = json!({"store": "S1", "terminal": "T1", "business_date": "2026-11-10", "sequence": 1, "line_no": 4});
    assert_eq!(read(&shop, &answer.body[0]["id"]).await["lines"][0]["original"], full);
    let told: Vec<PosRecorded> = told(&shop.test.store).await;
    assert_eq!(serde_json::to_value(&told[0].lines[0].original).unwrap(), full);
    let fields = |at: usize| -> Vec<&str> {
        let errors = answer.body[at]["problem"]["errors"].as_array().unwrap();
        errors.iter().map(|it| it["field"].as_str().unwrap()).collect()
    };
    assert_eq!((fields(2), fields(3)), (vec!["lines"], vec!["lines"]));
    let wrong = ["", ".terminal", ".sequence", ".line_no"].map(|it| format!("lines[0].original{it}"));
    assert_eq!(fields(4), wrong);
}

#[actix_web::test]
async fn the_same_again_is_known_and_another_content_is_refused_by_its_fields() {
    let shop = Shop::new().await;
    let mut spelled = sale(2, 2);
    spelled["lines"][0] = json!({"line_no": 1, "sku": "A", "quantity": 2, "unit_price_decimal": "10.000"});
    let mut other = sale(2, 3);
    other["note"] = json!("again");
    // Twice in one batch, after a later number, and once more in the next.
    let answer = send(&shop, &[sale(3, 1), sale(2, 2), spelled, other.clone()]).await;
    assert_eq!(results(&answer), ["new", "new", "known", "refused"]);
    assert_eq!(answer.body[1]["id"], answer.body[2]["id"]);
    let again = send(&shop, &[other, sale(2, 2), sale(1, 1)]).await;
    assert_eq!(results(&again), ["refused", "known", "new"]);
    let problem = &again.body[0]["problem"];
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    assert_eq!((problem["code"].as_str(), fields), (Some("contradiction"), vec!["note", "lines", "tenders"]));
    assert_eq!(told::<PosRecorded>(&shop.test.store).await.len(), 3);
}

#[actix_web::test]
async fn a_bad_transaction_does_not_hold_up_the_others() {
    let shop = Shop::new().await;
    let change = |field: &str, value: Value| {
        let mut body = sale(9, 1);
        body[field] = value;
        body
    };
    let mut sku = sale(9, 1);
    sku["lines"][0]["sku"] = json!("GONE");
    let cases = [
        (change("colour", json!("red")), "malformed", "colour"),
        (change("sequence", json!(0)), "invalid_field", "sequence"),
        (change("currency", json!("JPY")), "invalid_field", "lines[0].unit_price"),
        (change("channel", json!("nowhere")), "unknown_reference", "channel"),
        (change("store", json!("S9")), "unknown_reference", "store"),
        (sku, "unknown_reference", "lines[0].sku"),
        (change("tenders", json!([])), "amount_mismatch", "tenders"),
        (change("kind", json!("return")), "invalid_field", "kind"),
        (change("note", json!("a\u{0}b")), "invalid_field", "note"),
    ];
    let mut batch: Vec<Value> = vec![sale(1, 1)];
    batch.extend(cases.iter().map(|(body, _, _)| body.clone()));
    batch.push(sale(2, 1));
    let answer = shop.post("/v1/pos/transactions", json!(batch)).await;
    // The character that no text can hold makes the request itself unreadable.
    assert_eq!(answer.code(), (422, "invalid_field"), "{}", answer.body);
    batch.remove(9);
    let answer = send(&shop, &batch).await;
    let mut expected = vec!["new"];
    expected.extend(["refused"; 8]);
    expected.push("new");
    assert_eq!(results(&answer), expected);
    for ((_, code, field), outcome) in cases.iter().take(8).zip(answer.body.as_array().unwrap().iter().skip(1)) {
        let problem = &outcome["problem"];
        assert_eq!((&problem["code"], &problem["errors"][0]["field"]), (&json!(code), &json!(field)), "{problem}");
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".pos_transactions"), 2);
}

#[actix_web::test]
async fn what_happened_is_taken_though_a_sku_is_not_sold_any_more() {
    let shop = Shop::new().await;
    let mut gone = crate::support::sku("A", &[]);
    gone.status = contracts::events::SkuStatus::Inactive;
    gone.version = 2;
    shop.hear(&gone).await;
    assert_eq!(results(&send(&shop, &[sale(1, 1)]).await), ["new"]);
}

#[actix_web::test]
async fn a_request_has_its_limits_and_its_media_type() {
    let shop = Shop::new().await;
    assert_eq!(shop.post("/v1/pos/transactions", json!([])).await.code(), (422, "invalid_field"));
    let many: Vec<Value> = (1..=501).map(|sequence| sale(sequence, 1)).collect();
    assert_eq!(shop.post("/v1/pos/transactions", json!(many)).await.code(), (422, "invalid_field"));
    assert_eq!(results(&send(&shop, &many[..500]).await), vec!["new"; 500]);
    assert_eq!(shop.post("/v1/pos/transactions", json!({})).await.code(), (400, "malformed"));
    let text = TestRequest::post().uri("/v1/pos/transactions").insert_header(("Content-Type", "text/plain"));
    let answer = shop.send(&shop.claims("*"), text.set_payload("[]")).await;
    assert_eq!(answer.code(), (415, "unsupported_media_type"));
}

#[actix_web::test]
async fn a_key_answers_what_it_answered_before() {
    let shop = Shop::new().await;
    let send = |body: Value| {
        let request =
            TestRequest::post().uri("/v1/pos/transactions").insert_header(("Idempotency-Key", "k")).set_json(body);
        let (claims, shop) = (shop.claims("*"), &shop);
        async move { shop.send(&claims, request).await }
    };
    let first = send(json!([sale(1, 1)])).await;
    assert_eq!(send(json!([sale(1, 1)])).await.body, first.body);
    assert_eq!(send(json!([sale(2, 1)])).await.code(), (409, "idempotency_key_reused"));
}

#[actix_web::test]
async fn a_store_writes_and_sees_itself_alone() {
    let shop = Shop::new().await;
    let mut bound = shop.claims("pos:read pos:write");
    bound.locations = Some([code("S1")].into());
    let mut other = sale(2, 1);
    other["store"] = json!("W1");
    let post = |path: &str, body: &Value| TestRequest::post().uri(path).set_json(body);
    let answer = shop.send(&bound, post("/v1/pos/transactions", &json!([sale(1, 1), other]))).await;
    assert_eq!(results(&answer), ["new", "refused"]);
    assert_eq!(answer.body[1]["problem"]["code"], "forbidden");
    for path in ["transactions", "gaps", "days", "feed"] {
        let get = |store: &str| TestRequest::get().uri(&format!("/v1/pos/{path}?store={store}"));
        assert_eq!(shop.send(&bound, get("S1")).await.status, 200, "{path}");
        assert_eq!(shop.send(&bound, get("W1")).await.code(), (403, "forbidden"), "{path}");
    }
    let day =
        json!({"store": "W1", "terminal": "T1", "business_date": "2026-11-11", "last_sequence": 1, "transactions": 1});
    assert_eq!(shop.send(&bound, post("/v1/pos/days", &day)).await.code(), (403, "forbidden"));
    let reader = shop.claims("pos:read");
    let answer = shop.send(&reader, post("/v1/pos/transactions", &json!([sale(3, 1)]))).await;
    assert_eq!(answer.code(), (403, "forbidden"));
    let id = shop.get("/v1/pos/transactions?store=S1").await.body["items"][0]["id"].clone();
    bound.locations = Some([code("W1")].into());
    let path = format!("/v1/pos/transactions/{}", id.as_str().unwrap());
    assert_eq!(shop.send(&bound, TestRequest::get().uri(&path)).await.code(), (403, "forbidden"));
}

#[actix_web::test]
async fn transactions_are_listed_latest_first_and_page_by_page() {
    let shop = Shop::new().await;
    let mut batch: Vec<Value> = (1..=3).map(|sequence| sale(sequence, 1)).collect();
    let mut other = sale(7, 1);
    other["terminal"] = json!("T2");
    let mut next = sale(4, 1);
    next["business_date"] = json!("2026-11-12");
    batch.extend([other, next]);
    send(&shop, &batch).await;
    let numbers = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|it| it["sequence"].as_i64().unwrap()).collect()
    };
    let first = shop.get("/v1/pos/transactions?store=S1&limit=3").await.body;
    assert_eq!(numbers(&first), [4, 7, 3]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shop.get(&format!("/v1/pos/transactions?store=S1&limit=3&cursor={cursor}")).await.body;
    assert_eq!((numbers(&second), &second["next_cursor"]), (vec![2, 1], &json!(null)));
    let of_till = "/v1/pos/transactions?store=S1&terminal=T1&business_date=2026-11-11";
    assert_eq!(numbers(&shop.get(of_till).await.body), [3, 2, 1]);
    for bad in ["", "store=S1&limit=0", "store=S1&cursor=x", "store=S1&business_date=today", "store=S1&colour=red"] {
        assert_eq!(shop.get(&format!("/v1/pos/transactions?{bad}")).await.status, 400, "{bad}");
    }
}

#[actix_web::test]
async fn a_void_turns_an_earlier_transaction_around() {
    let shop = Shop::new().await;
    let mut exchange = sale(1, 3);
    exchange["kind"] = json!("exchange");
    exchange["lines"] = json!([
        {"line_no": 1, "sku": "A", "quantity": 3, "unit_price": fen(1000), "discount": fen(500)},
        {"line_no": 2, "sku": "B", "quantity": -1, "unit_price": fen(700), "disposition": "scrap"},
    ]);
    exchange["tenders"] = json!([{"method": "card", "amount": fen(1800), "reference": "r"}]);
    let answer = send(&shop, &[exchange, void(2, 1)]).await;
    assert_eq!(results(&answer), ["new", "new"]);
    let (first, second) = (read(&shop, &answer.body[0]["id"]).await, read(&shop, &answer.body[1]["id"]).await);
    assert_eq!((&first["voided_by"], &first["total_amount"]), (&answer.body[1]["id"], &fen(1800)));
    assert_eq!((&second["voids"]["effect"], &second["voids"]["id"]), (&json!("done"), &answer.body[0]["id"]));
    assert_eq!((&second["total_amount"], &second["tenders"][0]["amount"]), (&fen(-1800), &fen(-1800)));
    let told: Vec<PosRecorded> = told(&shop.test.store).await;
    let void = told.iter().find(|it| it.kind == PosKind::Void).unwrap();
    assert_eq!((void.voids, void.total_amount), (Some(told[0].transaction_id), -1800));
    let lines: Vec<_> = void.lines.iter().map(|it| (it.quantity, it.discount_amount, it.paid_amount)).collect();
    assert_eq!(lines, [(-3, -500, -2500), (1, 0, 700)]);
}

#[actix_web::test]
async fn a_void_that_comes_first_waits_for_what_it_voids() {
    let shop = Shop::new().await;
    let answer = send(&shop, &[void(5, 4)]).await;
    assert_eq!(results(&answer), ["new"]);
    let id = &answer.body[0]["id"];
    assert_eq!(read(&shop, id).await["voids"]["effect"], "waiting");
    assert_eq!(told::<PosRecorded>(&shop.test.store).await.len(), 0);
    send(&shop, &[sale(4, 2)]).await;
    let view = read(&shop, id).await;
    assert_eq!((&view["voids"]["effect"], &view["total_amount"]), (&json!("done"), &fen(-2000)));
    let told: Vec<PosRecorded> = told(&shop.test.store).await;
    let totals: Vec<_> = told.iter().map(|it| (it.kind, it.total_amount)).collect();
    assert_eq!(totals, [(PosKind::Sale, 2000), (PosKind::Void, -2000)]);
}

#[actix_web::test]
async fn a_transaction_is_voided_once_and_a_void_never() {
    let shop = Shop::new().await;
    let answer = send(&shop, &[void(4, 1), sale(1, 1), void(2, 1), void(3, 2), void(2, 1)]).await;
    assert_eq!(results(&answer), ["new", "new", "new", "new", "known"]);
    let mut effects = Vec::new();
    for outcome in answer.body.as_array().unwrap() {
        effects.push(read(&shop, &outcome["id"]).await["voids"]["effect"].clone());
    }
    assert_eq!(json!(effects), json!(["none", null, "done", "none", "done"]));
    let amounts: Vec<i64> = told::<PosRecorded>(&shop.test.store).await.iter().map(|it| it.total_amount).collect();
    assert_eq!(amounts, [1000, -1000]);
    assert_eq!(shop.number("SELECT sum(waiting_voids) FROM \"order\".pos_tills"), 0);
}

#[actix_web::test]
async fn an_original_and_its_void_at_once_always_meet() {
    let shop = Shop::new().await;
    let replica = shop.replica();
    for number in 1..=10 {
        let (first, second) = (json!([sale(2 * number, 1)]), json!([void(2 * number + 1, 2 * number)]));
        let post = |body: &Value| TestRequest::post().uri("/v1/pos/transactions").set_json(body);
        let claims = shop.claims("*");
        let (a, b) = futures_util::future::join(
            shop.send(&claims, post(&first)),
            shop.send_to(&replica, &claims, post(&second)),
        )
        .await;
        assert_eq!((results(&a), results(&b)), (vec!["new"], vec!["new"]));
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".pos_voids WHERE effect = 'done'"), 10);
    assert_eq!(shop.number("SELECT received_amount FROM \"order\".pos_day_tenders"), 0);
}

#[actix_web::test]
async fn two_replicas_that_get_the_same_batches_take_each_transaction_once() {
    let shop = Shop::new().await;
    let replica = shop.replica();
    let batch = |from: i64| -> Vec<Value> {
        let mut batch: Vec<Value> = (from..from + 20).map(|sequence| sale(sequence, 1)).collect();
        let other = batch.iter().map(|body| {
            let mut body = body.clone();
            body["terminal"] = json!("T2");
            body
        });
        let other: Vec<Value> = other.collect();
        batch.extend(other);
        batch
    };
    let batches: Vec<Vec<Value>> = (0..5).map(|index| batch(1 + index * 15)).collect();
    let sends = batches.iter().enumerate().flat_map(|(index, batch)| {
        let mut turned = batch.clone();
        turned.reverse();
        [
            (&shop.site, json!(batch)),
            (&replica, json!(turned)),
            (if index % 2 == 0 { &replica } else { &shop.site }, json!(batch)),
        ]
    });
    let claims = shop.claims("*");
    let answers = join_all(sends.map(|(site, body)| {
        shop.send_to(site, &claims, TestRequest::post().uri("/v1/pos/transactions").set_json(body))
    }))
    .await;
    let new = answers.iter().flat_map(results).filter(|result| *result == "new").count();
    assert_eq!(new, 160);
    assert!(answers.iter().flat_map(results).all(|result| result != "refused"));
    assert_eq!(told::<PosRecorded>(&shop.test.store).await.len(), 160);
    assert_eq!(shop.number("SELECT sum(received_amount) FROM \"order\".pos_day_tenders"), 160_000);
    assert_eq!(shop.number("SELECT sum(transactions) FROM \"order\".pos_days WHERE missing = 0"), 160);
}
