//! What happened to an order, in the order of causes.

use std::time::Duration;

use contracts::Event;
use contracts::events::{BuyerIdentified, RebateAccrued};
use kernel::Money;
use kernel::id::RebateLineId;
use serde_json::{Value, json};
use testkit::outbox_events;

use crate::support::{Shop, answered, code, line};

/// What was told last under this name.
async fn told(shop: &Shop, kind: &str) -> Event {
    outbox_events(&shop.test.store).await.into_iter().rfind(|event| event.kind == kind).unwrap()
}

/// The entries' names, causes and lines; a cause by the name of the event that it is.
fn entries(timeline: &Value) -> Vec<(&str, &str, &str)> {
    let all = timeline["entries"].as_array().unwrap();
    let name = |id: &Value| all.iter().find(|it| it["event_id"] == *id).map_or("?", |it| it["type"].as_str().unwrap());
    let cause = |entry: &Value| entry.get("caused_by").cloned();
    all.iter()
        .map(|it| {
            let led = cause(it).map_or("", |id| name(&id));
            (it["type"].as_str().unwrap(), led, it["summary"].as_str().unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn a_timeline_shows_every_service_and_nothing_before_its_cause() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    let placed = told(&shop, "order.placed").await;
    // The inventory's clock is slow by a minute: its answer seems older than the order.
    let mut sourced = shop.event(&answered(&id, 1, &[(1, "A", "W1", 2)]), Some(placed.id));
    sourced.source = "onepool/inventory".to_owned();
    sourced.time = sourced.time.plus_seconds(-60);
    shop.test.clock.advance(Duration::from_secs(1));
    shop.deliver(&sourced).await;
    let offered = told(&shop, "fulfilment.offered").await;
    shop.test.clock.advance(Duration::from_secs(1));
    let nobody = BuyerIdentified { order_id: id.parse().unwrap(), member_id: None, tier: None };
    let identified = shop.event(&nobody, Some(placed.id));
    let amount = Money::new(125, "CNY".parse().unwrap());
    let line_id = RebateLineId::at(shop.test.store.now());
    let earned = RebateAccrued { line_id, order_id: id.parse().unwrap(), payee: code("P1"), amount };
    let accrued = shop.event(&earned, Some(identified.id));
    // Heard in any order, and again.
    for event in [&accrued, &offered, &placed, &identified, &accrued, &placed] {
        shop.deliver(event).await;
    }
    shop.test.clock.advance(Duration::from_secs(1));
    let fulfilment = shop.fulfilments(&id).await.remove(0);
    assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await.status, 200);
    shop.deliver(&told(&shop, "fulfilment.accepted").await).await;
    let timeline = shop.get(&format!("/v1/orders/{id}/timeline")).await.body;
    assert_eq!((&timeline["order_id"], &timeline["complete"]), (&json!(id), &json!(true)));
    let expected = [
        ("change", "", "received"),
        ("order.placed", "", "placed in tmall as T-1: 20.00 CNY"),
        ("stock.sourced", "order.placed", "attempt 1: 2 at W1"),
        ("change", "stock.sourced", "sourced"),
        ("fulfilment.offered", "stock.sourced", "W1 is asked for 2 units"),
        ("buyer.identified", "order.placed", "no member is known"),
        ("rebate.accrued", "buyer.identified", "P1 earns 1.25 CNY"),
    ];
    let entries = entries(&timeline);
    assert_eq!(entries[..7], expected);
    assert_eq!((entries[7].0, entries[8]), ("change", ("fulfilment.accepted", "", "W1 accepted")));
    let all = timeline["entries"].as_array().unwrap();
    assert_eq!(
        (&all[0]["actor"], &all[3]["actor"], &all[7]["actor"]),
        (&json!("oms"), &json!("inventory"), &json!("oms"))
    );
    assert_eq!((&all[2]["source"], &all[4]["source"]), (&json!("inventory"), &json!("order")));
    assert_eq!(all[2]["event_id"], json!(sourced.id));
}

#[actix_web::test]
async fn every_kind_that_is_heard_has_its_line() {
    let shop = Shop::new().await;
    // The example of each event; a return and a refund of them are of a known order.
    let mut lines = 0;
    for kind in order::consumers::TIMELINE.events {
        let path = format!("{}/../../shared/contracts/fixtures/{kind}/v1.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let payload: Box<serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
        let mut event = told_by(&shop);
        (event.kind, event.data) = ((*kind).to_owned(), payload);
        let summary = order::domain::timeline::read(&event).unwrap().unwrap().1;
        assert!(!summary.is_empty() && summary.len() < 200, "{kind}: {summary}");
        lines += 1;
    }
    assert_eq!(lines, 26);
}

/// An event to be filled in.
fn told_by(shop: &Shop) -> Event {
    shop.event(&answered("0199aaaa-0000-7000-8000-000000000001", 1, &[]), None)
}

#[actix_web::test]
async fn a_timeline_is_shown_to_who_may_see_the_order() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let path = format!("/v1/orders/{id}/timeline");
    let mut claims = shop.claims("order:read");
    let get = || actix_web::test::TestRequest::get().uri(&path);
    assert_eq!(shop.send(&claims, get()).await.status, 200);
    claims.channels = Some([code("till")].into());
    assert_eq!(shop.send(&claims, get()).await.code(), (403, "forbidden"));
    let unknown = path.replace(&id, "0199aaaa-0000-7000-8000-000000000001");
    assert_eq!(shop.get(&unknown).await.code(), (404, "not_found"));
}
