//! Gaps in the numbers, and business days that are closed.

use serde_json::{Value, json};

use crate::support::{Answer, Shop, fen};
use crate::tills::{results, sale, send, void};

async fn gaps(shop: &Shop) -> Vec<(i64, i64)> {
    let page = shop.get("/v1/pos/gaps?store=S1&business_date=2026-11-11").await.body;
    let gaps = page["items"].as_array().unwrap();
    let mut gaps: Vec<_> =
        gaps.iter().map(|it| (it["first"].as_i64().unwrap(), it["last"].as_i64().unwrap())).collect();
    gaps.sort_unstable();
    gaps
}

fn closing(last_sequence: i64, transactions: i64, tenders: Value) -> Value {
    json!({"store": "S1", "terminal": "T1", "business_date": "2026-11-11", "last_sequence": last_sequence,
        "transactions": transactions, "tenders": tenders})
}

async fn close(shop: &Shop, body: Value) -> Answer {
    shop.post("/v1/pos/days", body).await
}

#[actix_web::test]
async fn gaps_open_split_and_close_as_numbers_come() {
    let shop = Shop::new().await;
    send(&shop, &[sale(3, 1), sale(8, 1)]).await;
    assert_eq!(gaps(&shop).await, [(4, 7)]);
    let since = shop.get("/v1/pos/gaps?store=S1").await.body["items"][0]["since"].clone();
    shop.test.clock.advance(std::time::Duration::from_secs(60));
    send(&shop, &[sale(6, 1)]).await;
    assert_eq!(gaps(&shop).await, [(4, 5), (7, 7)]);
    assert_eq!(shop.get("/v1/pos/gaps?store=S1").await.body["items"][0]["since"], since);
    send(&shop, &[sale(7, 1), sale(5, 1), sale(4, 1), sale(1, 1)]).await;
    assert_eq!(gaps(&shop).await, [(2, 2)]);
    // A refused transaction is not in the book: its number stays missing.
    let mut bad = sale(2, 1);
    bad["tenders"] = json!([]);
    assert_eq!(results(&send(&shop, &[bad]).await), ["refused"]);
    assert_eq!(gaps(&shop).await, [(2, 2)]);
    send(&shop, &[sale(2, 1)]).await;
    assert_eq!(gaps(&shop).await, []);
}

#[actix_web::test]
async fn gaps_are_listed_page_by_page() {
    let shop = Shop::new().await;
    send(&shop, &[sale(1, 1), sale(3, 1), sale(5, 1), sale(9, 1)]).await;
    let first = shop.get("/v1/pos/gaps?store=S1&limit=2").await.body;
    assert_eq!((&first["items"][0]["missing"], &first["items"][1]["first"]), (&json!(3), &json!(4)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shop.get(&format!("/v1/pos/gaps?store=S1&limit=2&cursor={cursor}")).await.body;
    assert_eq!((&second["items"][0]["last"], &second["next_cursor"]), (&json!(2), &json!(null)));
}

#[actix_web::test]
async fn a_closed_day_shows_what_differs_until_the_late_ones_come() {
    let shop = Shop::new().await;
    send(&shop, &[sale(102, 2), sale(104, 1)]).await;
    let declared = json!([{"method": "cash", "amount": fen(7000)}, {"method": "card", "amount": fen(500)}]);
    let closed = close(&shop, closing(105, 5, declared.clone())).await;
    assert_eq!(closed.status, 200, "{}", closed.body);
    let tender = |method: &str, received: i64, declared: i64| json!({"method": method, "received": fen(received), "declared": fen(declared), "difference": fen(received - declared)});
    assert_eq!(closed.body["tenders"], json!([tender("card", 0, 500), tender("cash", 3000, 7000)]));
    assert_eq!((&closed.body["settled"], &closed.body["transactions"]), (&json!(false), &json!(2)));
    assert_eq!(gaps(&shop).await, [(101, 101), (103, 103), (105, 105)]);
    let mut card = sale(105, 1);
    card["lines"][0]["unit_price"] = fen(500);
    card["tenders"] = json!([{"method": "card", "amount": fen(500)}]);
    send(&shop, &[sale(101, 4), void(103, 102), card]).await;
    send(&shop, &[void(103, 102)]).await;
    let day = shop.get("/v1/pos/days?store=S1&terminal=T1").await.body["items"][0].clone();
    assert_eq!(day["tenders"], json!([tender("card", 500, 500), tender("cash", 5000, 7000)]));
    assert_eq!((&day["gaps"], &day["settled"], &day["transactions"]), (&json!([]), &json!(false), &json!(5)));
    // The same closing again is the same; another one contradicts it.
    let again = close(&shop, closing(105, 5, declared)).await;
    assert_eq!((again.status, &again.body), (200, &day));
    let other = close(&shop, closing(106, 5, json!([]))).await;
    assert_eq!((other.code(), other.fields()), ((409, "contradiction"), vec!["last_sequence", "tenders"]));
}

#[actix_web::test]
async fn a_day_that_adds_up_is_settled() {
    let shop = Shop::new().await;
    send(&shop, &[sale(1, 2), sale(2, 1), void(3, 1)]).await;
    let open = shop.get("/v1/pos/days?store=S1").await.body["items"][0].clone();
    assert_eq!((&open["settled"], open.get("closed_at")), (&json!(false), None));
    assert_eq!(open["tenders"], json!([{"method": "cash", "received": fen(1000)}]));
    let closed = close(&shop, closing(3, 3, json!([{"method": "cash", "amount": fen(1000)}]))).await;
    assert_eq!((&closed.body["settled"], &closed.body["closed_by"]), (&json!(true), &json!("oms")));
    let late = close(&shop, closing(0, 0, json!([]))).await;
    assert_eq!(late.code(), (409, "contradiction"));
}

#[actix_web::test]
async fn a_day_may_close_before_anything_came() {
    let shop = Shop::new().await;
    assert_eq!(close(&shop, closing(2, 2, json!([]))).await.status, 200);
    assert_eq!(gaps(&shop).await, [(1, 2)]);
    send(&shop, &[sale(2, 1), sale(4, 1)]).await;
    assert_eq!(gaps(&shop).await, [(1, 1), (3, 3)]);
    let mut idle = closing(0, 0, json!([]));
    idle["terminal"] = json!("T2");
    let idle = close(&shop, idle).await;
    assert_eq!((&idle.body["settled"], idle.body.get("first_sequence")), (&json!(true), None));
}

#[actix_web::test]
async fn a_closing_that_cannot_be_is_refused_by_its_fields() {
    let shop = Shop::new().await;
    let cash = json!({"method": "cash", "amount": fen(1)});
    for (body, field) in [
        (closing(-1, 0, json!([])), "last_sequence"),
        (closing(1, 2, json!([])), "transactions"),
        (closing(1, 1, json!([cash, cash])), "tenders[1].method"),
    ] {
        let refused = close(&shop, body).await;
        assert_eq!((refused.status, refused.fields()[0]), (422, field), "{}", refused.body);
    }
    let mut nowhere = closing(1, 1, json!([]));
    nowhere["store"] = json!("S9");
    assert_eq!(close(&shop, nowhere).await.code(), (422, "unknown_reference"));
}

#[actix_web::test]
async fn a_void_counts_on_its_own_day() {
    let shop = Shop::new().await;
    let mut next = void(1, 8);
    next["business_date"] = json!("2026-11-12");
    send(&shop, &[next]).await;
    let version = |page: &Value| page["items"][0]["version"].as_i64().unwrap();
    let before = shop.get("/v1/pos/days?store=S1&business_date=2026-11-12").await.body;
    assert_eq!(before["items"][0]["tenders"], json!([]));
    send(&shop, &[sale(8, 1)]).await;
    let after = shop.get("/v1/pos/days?store=S1&business_date=2026-11-12").await.body;
    assert_eq!(after["items"][0]["tenders"], json!([{"method": "cash", "received": fen(-1000)}]));
    assert_eq!(version(&after), version(&before) + 1);
    let original = shop.get("/v1/pos/days?store=S1&business_date=2026-11-11").await.body;
    assert_eq!(original["items"][0]["tenders"], json!([{"method": "cash", "received": fen(1000)}]));
}

/// Whether everything in `part` is in `whole`, lists entry by entry.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        (whole, part) => whole == part,
    }
}

#[actix_web::test]
async fn the_documented_example_goes_as_it_says() {
    let blocks = include_str!("../../../../docs/pos.md").split("```json").skip(1);
    let blocks: Vec<Value> =
        blocks.map(|text| serde_json::from_str(text.split("```").next().unwrap()).unwrap()).collect();
    let [first, gaps, closing, closed, late, days] = blocks.try_into().unwrap();
    let shop = Shop::empty(&[]).await;
    shop.hear(&crate::support::channel("pos", "CNY", 1)).await;
    shop.hear(&crate::support::location("SH-01")).await;
    shop.hear(&crate::support::sku("TEE-M", &[])).await;
    let answer = send(&shop, first.as_array().unwrap()).await;
    assert_eq!(results(&answer), ["new", "new"]);
    let totals = shop.get("/v1/pos/transactions?store=SH-01").await.body;
    let totals: Vec<&Value> = totals["items"].as_array().unwrap().iter().map(|it| &it["total_amount"]).collect();
    assert_eq!(totals, [&fen(-4450), &fen(8900)]);
    let answer = shop.get("/v1/pos/gaps?store=SH-01").await.body;
    assert!(holds(&answer, &gaps), "{answer}");
    let answer = close(&shop, closing).await.body;
    assert!(holds(&answer, &closed), "{answer}");
    assert_eq!(results(&send(&shop, late.as_array().unwrap()).await), ["new", "new", "new"]);
    let answer = shop.get("/v1/pos/days?store=SH-01").await.body;
    assert!(holds(&answer, &days), "{answer}");
}
