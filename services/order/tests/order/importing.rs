//! Imports of many orders: a result for each line, whatever its neighbours are, and the same file again.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::support::{Shop, line, order};

async fn import(shop: &Shop, lines: &[String]) -> Vec<Value> {
    let request = TestRequest::post().uri("/v1/orders/import").insert_header(("Content-Type", "application/x-ndjson"));
    let answer = shop.send(&shop.claims("*"), request.set_payload(lines.join("\n"))).await;
    assert_eq!(answer.status, 200);
    answer.body.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(number: &str, units: i64, change: impl FnOnce(&mut Value)) -> String {
    let mut body = order(number, json!([line(1, "A", units, 1000)]));
    change(&mut body);
    body.to_string()
}

/// What is told of each line: its change, or the code of its problem.
fn told<'a>(answers: &'a [Value]) -> Vec<&'a str> {
    let word = |it: &'a Value| it["result"]["change"].as_str().or_else(|| it["problem"]["code"].as_str()).unwrap();
    answers.iter().map(word).collect()
}

#[actix_web::test]
async fn thousands_of_lines_with_broken_ones_among_them_are_answered_one_by_one_and_may_come_again() {
    let shop = Shop::new().await;
    let mut lines: Vec<String> = (1..=3_000).map(|number| text(&format!("T-{number}"), 1, |_| {})).collect();
    lines[10] = "{\"channel\":".to_owned();
    lines[20] = text("T-21", 1, |body| body["note"] = json!("x".repeat(300 << 10)));
    lines[30] = text("T-31", 1, |body| body["colour"] = json!("red"));
    lines[2_500] = text("T-1", 1, |_| {});
    lines[2_600] = text("T-2", 2, |_| {});
    let mut expected = vec!["created"; 3_000];
    (expected[10], expected[20], expected[30]) = ("malformed", "too_large", "malformed");
    (expected[2_500], expected[2_600]) = ("known", "contradiction");
    let first = import(&shop, &lines).await;
    assert_eq!(told(&first), expected);
    let numbers: Vec<u64> = first.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=3_000).collect::<Vec<u64>>());
    assert_eq!(first[2_500]["result"]["id"], first[0]["result"]["id"]);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 2_995);
    let again = import(&shop, &lines).await;
    let known: Vec<&str> = expected.iter().map(|it| if *it == "created" { "known" } else { *it }).collect();
    assert_eq!(told(&again), known);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 2_995);
}

#[actix_web::test]
async fn lines_of_one_number_are_taken_in_their_order() {
    let shop = Shop::new().await;
    let at = |day: u32| move |body: &mut Value| body["channel_updated_at"] = json!(format!("2026-11-{day}T00:00:00Z"));
    // In a hundred pairs the first is created and the second is not; then three states of one order.
    let mut lines: Vec<String> = Vec::new();
    for number in 0..100 {
        lines.extend([text(&format!("T-{number}"), 1, |_| {}), text(&format!("T-{number}"), 2, |_| {})]);
    }
    lines.extend([text("N-1", 3, at(12)), text("N-1", 2, at(14)), text("N-1", 3, at(13))]);
    let answers = import(&shop, &lines).await;
    let words = told(&answers);
    assert!(words[..200].chunks(2).all(|pair| pair == ["created", "contradiction"]), "{words:?}");
    assert_eq!(words[200..], ["created", "known", "known"]);
    let order = shop.order(answers[200]["result"]["id"].as_str().unwrap()).await;
    assert_eq!((&order["lines"][0]["quantity"], &order["lines"][0]["cancelled"]), (&json!(3), &json!(1)));
}
