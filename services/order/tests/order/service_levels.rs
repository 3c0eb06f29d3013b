//! How well locations serve.

use std::time::Duration;

use actix_web::test::TestRequest;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Shop, answered, better, code, line, order};

const AN_HOUR: [(&str, &str); 2] =
    [("FULFILMENT__OVERDUE_AFTER_SECONDS", "3600"), ("FULFILMENT__OFFER_LAPSES_AFTER_SECONDS", "36000")];

/// Two of `A` offered to `W1`: the order and its fulfilment order.
async fn offered(shop: &Shop, number: &str) -> (String, String) {
    let id = shop.sourced(number, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    (id, fulfilment)
}

async fn step(shop: &Shop, fulfilment: &str, step: &str, body: Value) -> Value {
    let answer = shop.post(&format!("/v1/fulfilments/{fulfilment}/{step}"), body).await;
    assert_eq!(answer.status, 200, "{step}: {}", answer.body);
    answer.body
}

fn pass(shop: &Shop, seconds: u64) {
    shop.test.clock.advance(Duration::from_secs(seconds));
}

/// To the first second of the next day in Shanghai, so that a test does not run into midnight.
fn next_morning(shop: &Shop) -> String {
    let shanghai = chrono_tz::Asia::Shanghai;
    let today = shop.test.store.now().day_in(shanghai);
    let mut now = shop.test.store.now();
    while now.day_in(shanghai) == today {
        pass(shop, 1);
        now = shop.test.store.now();
    }
    now.day_in(shanghai).to_string()
}

async fn statistics(shop: &Shop, query: &str) -> Vec<Value> {
    let answer = shop.get(&format!("/v1/fulfilment-statistics?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn every_move_counts_once_on_its_day_and_location() {
    let shop = Shop::with(&AN_HOUR).await;
    let day = next_morning(&shop);
    let (_, lapses) = offered(&shop, "T-0").await;
    for (number, late) in [("T-1", 0), ("T-2", 1)] {
        let (_, fulfilment) = offered(&shop, number).await;
        pass(&shop, 50);
        step(&shop, &fulfilment, "accept", json!({})).await;
        pass(&shop, 3600 + late);
        step(&shop, &fulfilment, "ship", json!({})).await;
        step(&shop, &fulfilment, "deliver", json!({})).await;
    }
    for (number, reason) in [("T-3", "no staff"), ("T-4", "damaged"), ("T-5", "damaged")] {
        let (_, fulfilment) = offered(&shop, number).await;
        step(&shop, &fulfilment, "reject", json!({"reason": reason})).await;
    }
    for (number, found) in [("T-6", 1), ("T-7", 0)] {
        let (_, fulfilment) = offered(&shop, number).await;
        step(&shop, &fulfilment, "accept", json!({})).await;
        step(&shop, &fulfilment, "pick", json!({"lines": [{"line_no": 1, "quantity": found}]})).await;
    }
    let (recalled, _) = offered(&shop, "T-8").await;
    shop.hear(&better(&recalled, 1, &[(1, "A", "W1", 2)])).await;
    pass(&shop, 36_000 - 7_301);
    shop.run_job("lapse_offers").await;
    assert_eq!(shop.get(&format!("/v1/fulfilments/{lapses}")).await.body["status"], "lapsed");
    // The recalled one was offered, and counts as nothing else.
    let expected = json!({
        "day": day, "location": "W1", "offered": 9, "accepted": 4, "accept_seconds": 100, "rejected": 4,
        "rejected_for": [{"reason": "damaged", "count": 2}, {"reason": "no staff", "count": 1}, {"reason": "short_pick", "count": 1}],
        "lapsed": 1, "short_picked": 1, "shipped": 2, "ship_seconds": 7201, "shipped_late": 1,
        "ready": 0, "ready_seconds": 0, "ready_late": 0, "collected": 0, "collect_seconds": 0, "uncollected": 0,
    });
    assert_eq!(statistics(&shop, "").await, std::slice::from_ref(&expected));
    // Nor does it matter whether it is added up already, by however many replicas.
    join_all((0..4).map(|_| shop.run_job("fold_fulfilment_counts"))).await;
    shop.run_job("fold_fulfilment_counts").await;
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".fulfilment_count_steps"), 0);
    assert_eq!(statistics(&shop, "").await, [expected]);
}

#[actix_web::test]
async fn pickups_count_by_when_they_were_ready_and_who_came() {
    let shop = Shop::with(&[("FULFILMENT__OVERDUE_AFTER_SECONDS", "3600")]).await;
    next_morning(&shop);
    let mut codes = Vec::new();
    for (number, seconds) in [("T-1", 3600), ("T-2", 3700)] {
        let mut body = order(number, json!([line(1, "A", 1, 1000)]));
        body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
        let id = shop.post("/v1/orders", body).await.id();
        shop.hear(&answered(&id, 1, &[(1, "A", "S1", 1)])).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        step(&shop, &fulfilment, "accept", json!({})).await;
        pass(&shop, seconds);
        let ready = step(&shop, &fulfilment, "ready", json!({})).await;
        codes.push((fulfilment, ready["collect_code"].clone()));
    }
    pass(&shop, 30);
    let (first, secret) = &codes[0];
    step(&shop, first, "collect", json!({"code": secret})).await;
    let read = statistics(&shop, "location=S1").await;
    let seconds = ["ready_seconds", "ready_late", "collect_seconds"].map(|field| read[0][field].as_i64().unwrap());
    assert_eq!((&read[0]["ready"], &read[0]["collected"], seconds), (&json!(2), &json!(1), [7300, 1, 3730]));
    pass(&shop, 7 * 24 * 3600);
    shop.run_job("lapse_pickups").await;
    let read = statistics(&shop, "").await;
    assert_eq!(read.len(), 2, "a week later is another day");
    assert_eq!((&read[1]["uncollected"], &read[1]["lapsed"], &read[1]["ready"]), (&json!(1), &json!(0), &json!(0)));
}

#[actix_web::test]
async fn days_are_asked_for_by_bounds_pages_and_scope() {
    let shop = Shop::new().await;
    let first = next_morning(&shop);
    let both = [(1, "A", "S1", 1), (1, "A", "W1", 1)];
    shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &both).await;
    shop.run_job("fold_fulfilment_counts").await;
    let second = next_morning(&shop);
    shop.sourced("T-2", json!([line(1, "A", 2, 1000)]), &both).await;
    let places = |items: &[Value]| -> Vec<(String, String)> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        items.iter().map(|it| (text(&it["day"]), text(&it["location"]))).collect()
    };
    let place = |day: &str, location: &str| (day.to_owned(), location.to_owned());
    let all = [place(&first, "S1"), place(&first, "W1"), place(&second, "S1"), place(&second, "W1")];
    assert_eq!(places(&statistics(&shop, "").await), all);
    assert_eq!(places(&statistics(&shop, &format!("from={second}")).await), all[2..]);
    assert_eq!(places(&statistics(&shop, &format!("from={first}&until={second}")).await), all[..2]);
    let page = shop.get("/v1/fulfilment-statistics?limit=3").await;
    assert_eq!(places(page.body["items"].as_array().unwrap()), all[..3]);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    assert_eq!(places(&statistics(&shop, &format!("limit=3&cursor={cursor}")).await), all[3..]);
    let mut till = shop.claims("fulfilment:read");
    till.locations = Some([code("S1")].into());
    let own = shop.send(&till, TestRequest::get().uri("/v1/fulfilment-statistics")).await;
    assert_eq!(places(own.body["items"].as_array().unwrap()), [all[0].clone(), all[2].clone()]);
    let other = TestRequest::get().uri("/v1/fulfilment-statistics?location=W1");
    assert_eq!(shop.send(&till, other).await.status, 403);
    let long = shop.get("/v1/fulfilment-statistics?from=2020-01-01&until=2021-01-02").await;
    assert_eq!((long.code(), long.fields()), ((422, "invalid_field"), vec!["from"]));
}

#[actix_web::test]
async fn what_takes_too_long_is_listed_until_it_leaves() {
    let shop = Shop::with(&[("FULFILMENT__OVERDUE_AFTER_SECONDS", "3600")]).await;
    let (_, first) = offered(&shop, "T-1").await;
    let (_, second) = offered(&shop, "T-2").await;
    let (_, idle) = offered(&shop, "T-3").await;
    step(&shop, &first, "accept", json!({})).await;
    step(&shop, &first, "pack", json!({})).await;
    pass(&shop, 1);
    step(&shop, &second, "accept", json!({})).await;
    let overdue = |query: &'static str| {
        let shop = &shop;
        async move {
            let list = shop.get(&format!("/v1/fulfilments?overdue=true{query}")).await;
            let ids = list.body["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
            ids.collect::<Vec<String>>()
        }
    };
    pass(&shop, 3599);
    assert_eq!(overdue("").await, [""; 0], "an hour is in time");
    pass(&shop, 1);
    assert_eq!(overdue("").await, std::slice::from_ref(&first));
    pass(&shop, 1);
    assert_eq!(overdue("&status=accepted").await, std::slice::from_ref(&second));
    assert_eq!(overdue("&location=S1").await, [""; 0]);
    assert_eq!(overdue("").await.len(), 2, "nobody has taken {idle} on");
    step(&shop, &first, "ship", json!({})).await;
    assert_eq!(overdue("").await, [second]);
    let never = Shop::with(&[("FULFILMENT__OVERDUE_AFTER_SECONDS", "0")]).await;
    let (_, fulfilment) = offered(&never, "T-1").await;
    step(&never, &fulfilment, "accept", json!({})).await;
    pass(&never, 10_000_000);
    assert_eq!(never.get("/v1/fulfilments?overdue=true").await.body["items"], json!([]));
}
