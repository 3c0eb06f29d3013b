//! Whatever the order in which a day comes, and however often: the books are the same.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::{Shop, fen};
use crate::tills::{sale, send, void};

/// How many shuffles are tried: each is a shop of its own.
const SHUFFLES: usize = 8;

/// A day of two tills: sales, returns, exchanges, voids of today's and of the day before's, with a number that never comes, though a void waits for it.
fn day() -> Vec<Value> {
    let mut day = Vec::new();
    for (terminal, method) in [("T1", "cash"), ("T2", "card")] {
        for sequence in 1..=12_i64 {
            let mut body = match sequence {
                5 => continue,
                6 => void(6, 2),
                9 => void(9, 3),
                10 => void(10, 5),
                _ => sale(sequence, 1 + sequence % 3),
            };
            if sequence == 7 {
                body["kind"] = json!("return");
                body["lines"][0]["quantity"] = json!(-2);
                body["tenders"] = json!([{"method": method, "amount": fen(-2000)}]);
            } else if sequence == 8 {
                body["kind"] = json!("exchange");
                body["lines"] = json!([
                    {"line_no": 1, "sku": "A", "quantity": 1, "unit_price": fen(1000)},
                    {"line_no": 2, "sku": "B", "quantity": -1, "unit_price": fen(400)},
                ]);
                body["tenders"] =
                    json!([{"method": method, "amount": fen(700)}, {"method": "cash", "amount": fen(-100)}]);
            }
            body["terminal"] = json!(terminal);
            day.push(body);
        }
        let mut next = void(1, 11);
        next["terminal"] = json!(terminal);
        next["business_date"] = json!("2026-11-12");
        day.push(next);
    }
    day
}

/// Everything that must not depend on the order of arrival.
async fn books(shop: &Shop) -> Value {
    let mut days = shop.get("/v1/pos/days?store=S1").await.body["items"].clone();
    for day in days.as_array_mut().unwrap() {
        day.as_object_mut().unwrap().remove("version");
        for gap in day["gaps"].as_array_mut().unwrap() {
            gap.as_object_mut().unwrap().remove("since");
        }
    }
    let mut transactions = shop.get("/v1/pos/transactions?store=S1&limit=500").await.body["items"].clone();
    for transaction in transactions.as_array_mut().unwrap() {
        let it = transaction.as_object_mut().unwrap();
        it.remove("id");
        let voided = it.remove("voided_by").is_some();
        it.insert("voided".to_owned(), json!(voided));
        if let Some(voids) = it.get_mut("voids") {
            voids.as_object_mut().unwrap().remove("id");
        }
    }
    let told = testkit::told::<contracts::events::PosRecorded>(&shop.test.store).await;
    let total: i64 = told.iter().map(|it| it.total_amount).sum();
    let units: i64 = told.iter().flat_map(|it| &it.lines).map(|line| line.quantity).sum();
    json!({"days": days, "transactions": transactions, "told": [told.len(), total, units]})
}

#[actix_web::test]
async fn any_shuffle_with_duplicates_of_a_day_gives_the_same_books() {
    let shop = Shop::new().await;
    let day = day();
    send(&shop, &day).await;
    let expected = books(&shop).await;
    assert_eq!(expected["days"][2]["gaps"], json!([{"first": 5, "last": 5}]));
    let mut twice = day.clone();
    twice.extend(day.iter().cloned());
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let strategy = (Just(twice).prop_shuffle(), 1_usize..20);
    for _ in 0..SHUFFLES {
        let (shuffled, size) = strategy.new_tree(&mut runner).unwrap().current();
        let shop = Shop::new().await;
        for batch in shuffled.chunks(size) {
            send(&shop, batch).await;
        }
        assert_eq!(books(&shop).await, expected, "batches of {size}: {shuffled:?}");
    }
}
