//! What tills sold and took back: it has happened, so the books follow, and what they cannot spare is owed.

use actix_web::http::Method;
use bus::ConsumeError;
use contracts::events::{Disposition, FulfilmentRejected, PosKind, PosRecorded, StockShorted};
use kernel::Timestamp;
use kernel::id::{FulfilmentId, OrderId};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Pool, code, fulfilment_line, order, pickup, row, sku, till};

const RESTOCK: Option<Disposition> = Some(Disposition::Restock);
const QUARANTINE: Option<Disposition> = Some(Disposition::Quarantine);
const SCRAP: Option<Disposition> = Some(Disposition::Scrap);

fn sale(store: &str, sku: &str, units: i64) -> PosRecorded {
    till(store, PosKind::Sale, &[(sku, units, None)])
}

async fn sell(pool: &Pool, recorded: &[PosRecorded]) {
    pool.service.hear(recorded).await.unwrap();
}

/// `(on hand, reserved, quarantined, owed)`; nothing is available where something is owed.
async fn shelf(pool: &Pool, sku: &str, location: &str) -> (i64, i64, i64, i64) {
    let reply = pool.service.get(&format!("/v1/stock?sku={sku}&location={location}")).await;
    let item = &reply.body["items"][0];
    let number = |field: &str| item[field].as_i64().unwrap_or_else(|| panic!("{field} in {}", reply.text));
    assert!(number("owed") == 0 || number("available") == 0, "{}", reply.text);
    (number("on_hand"), number("reserved"), number("quarantined"), number("owed"))
}

/// The debts of a location: `(sku, units, owed)`, the oldest first.
async fn debts(pool: &Pool, location: &str) -> Vec<(String, i64, i64)> {
    let reply = pool.service.get(&format!("/v1/stock/debts?location={location}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let debt = |it: &Value| {
        (it["sku"].as_str().unwrap().to_owned(), it["units"].as_i64().unwrap(), it["owed"].as_i64().unwrap())
    };
    reply.body["items"].as_array().unwrap().iter().map(debt).collect()
}

/// What the order book was asked for: `(location, units, orders with their units)`.
async fn asked(pool: &Pool) -> Vec<(String, i64, Vec<(OrderId, i64)>)> {
    let all: Vec<StockShorted> = told(&pool.service.test.store).await;
    let promised = |it: &StockShorted| it.promised.iter().map(|it| (it.order_id, it.quantity.get())).collect();
    all.iter().map(|it| (it.location.to_string(), it.units.get(), promised(it))).collect()
}

/// The order book took units of `A` back from a location because a till had sold them.
async fn take_back(pool: &Pool, order: OrderId, location: &str, units: i64) {
    let at = pool.service.test.store.now();
    let event = FulfilmentRejected {
        fulfilment_id: FulfilmentId::at(at),
        order_id: order,
        location: code(location),
        lines: vec![fulfilment_line(1, "A", units)],
        reason: FulfilmentRejected::SHORTED.to_owned(),
        recalled: true,
        recalled_with: Vec::new(),
        sourced_with: None,
        rejected_at: at,
    };
    pool.service.hear(&[event]).await.unwrap();
}

#[actix_web::test]
async fn a_sale_takes_what_is_free_safety_stock_too() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let safety = json!([{"sku": "A", "location": "S1", "safety": 3, "reason": "shelf"}]);
    assert_eq!(pool.service.post("/v1/stock/adjustments", safety).await.status, 200);
    sell(&pool, &[sale("S1", "A", 4), sale("S1", "A", 1)]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 0));
    let movements = pool.service.get("/v1/stock/A/movements?location=S1").await;
    let kinds: Vec<&str> =
        movements.body["items"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|it| **it == "pos_sale").count(), 2, "{}", movements.text);
    assert_eq!(debts(&pool, "S1").await, []);
    assert_eq!(asked(&pool).await, []);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_promised_is_owed_and_the_newest_orders_are_asked_for() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 9)]).await;
    let mut both = [pool.place(order(&[("A", 1)])).await, pool.place(order(&[("A", 1)])).await];
    // Ids tell which is newer.
    both.sort();
    let [first, second] = both;
    sell(&pool, &[sale("S1", "A", 2)]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (2, 2, 0, 1));
    assert_eq!(debts(&pool, "S1").await, [("A".to_owned(), 2 - 1, 1)]);
    assert_eq!(asked(&pool).await, [("S1".to_owned(), 1, vec![(second, 1), (first, 1)])]);
    // The unit that is given back settles the debt; the order goes to where there is one, though S1 is nearer.
    take_back(&pool, second, "S1", 1).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (1, 1, 0, 0));
    assert_eq!(pool.sourced(second).await.last(), Some(&(2, vec![row(1, "A", "S2", 1)])));
    assert_eq!(debts(&pool, "S1").await, []);
    pool.is_proved().await;
    // Nothing is owed any more: nobody is asked again.
    pool.service.test.clock.advance(std::time::Duration::from_secs(61));
    pool.service.run_job("ask_for_owed").await;
    assert_eq!(asked(&pool).await.len(), 1);
    assert_eq!(pool.number("SELECT count(*) FROM debt_asks").await, 0);
}

#[actix_web::test]
async fn what_is_still_owed_is_asked_for_again() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    sell(&pool, &[sale("S1", "A", 1)]).await;
    pool.service.run_job("ask_for_owed").await;
    assert_eq!(asked(&pool).await.len(), 1, "not before the minute is over");
    pool.service.test.clock.advance(std::time::Duration::from_secs(61));
    pool.service.run_job("ask_for_owed").await;
    let again = ("S1".to_owned(), 1, vec![(id, 1)]);
    assert_eq!(asked(&pool).await, [again.clone(), again]);
    // What was picked ships; the unit that was sold is then owed by nobody's promise.
    pool.ship(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 1));
    pool.service.test.clock.advance(std::time::Duration::from_secs(61));
    pool.service.run_job("ask_for_owed").await;
    assert_eq!(asked(&pool).await.len(), 2);
    pool.receive(&[("A", "S1", 3)]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (2, 0, 0, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn whatever_frees_units_settles_first_the_oldest_debt_first() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 4)]).await;
    let hold = pool.hold(&[("A", 2)], json!({})).await;
    let id = pool.place(order(&[("A", 2)])).await;
    sell(&pool, &[sale("S1", "A", 2), sale("S1", "A", 3)]).await;
    let debt = |units, owed| ("A".to_owned(), units, owed);
    assert_eq!(shelf(&pool, "A", "S1").await, (4, 4, 0, 5));
    assert_eq!(debts(&pool, "S1").await, [debt(2, 2), debt(3, 3)]);
    // A cancelled order.
    pool.cancel(id, &[], &[]).await.unwrap();
    assert_eq!(shelf(&pool, "A", "S1").await, (2, 2, 0, 3));
    assert_eq!(debts(&pool, "S1").await, [debt(3, 3)]);
    // Goods that arrive.
    pool.receive(&[("A", "S1", 1)]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (2, 2, 0, 2));
    // A hold that is given up.
    let path = format!("/v1/reservations/{}", hold.body["id"].as_str().unwrap());
    let released = pool.service.call(Method::DELETE, &path, Value::Null).await;
    assert_eq!(released.status, 200, "{}", released.text);
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 0));
    assert_eq!(debts(&pool, "S1").await, []);
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_order_that_waits_gets_only_what_is_left_after_the_debt() {
    let pool = Pool::new().await;
    sell(&pool, &[sale("S1", "A", 2)]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 2), "the books had none");
    let id = pool.place(pickup(&[("A", 1)], "S1")).await;
    pool.receive(&[("A", "S1", 2)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await, []);
    pool.receive(&[("A", "S1", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await.len(), 1);
    assert_eq!(shelf(&pool, "A", "S1").await, (1, 1, 0, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_count_ends_a_debt() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    sell(&pool, &[sale("S1", "A", 1)]).await;
    // Both promised units are there after all: one more had come than was booked.
    let count = pool.service.post("/v1/counts", json!({"location": "S1", "skus": ["A"]})).await;
    assert_eq!(count.status, 201, "{}", count.text);
    let path = format!("/v1/counts/{}/submit", count.body["id"].as_str().unwrap());
    let reply = pool.service.post(&path, json!({"lines": [{"sku": "A", "counted": 2}]})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(shelf(&pool, "A", "S1").await, (2, 2, 0, 0));
    pool.ship(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    // The same said by an absolute balance, and a debt that the count confirms.
    pool.receive(&[("A", "S1", 1)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    sell(&pool, &[sale("S1", "A", 1)]).await;
    let state = |on_hand| json!([{"sku": "A", "location": "S1", "on_hand": on_hand, "reason": "counted"}]);
    let confirmed = pool.service.post("/v1/stock/adjustments", state(0)).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(shelf(&pool, "A", "S1").await, (1, 1, 0, 1));
    let found = pool.service.post("/v1/stock/adjustments", state(3)).await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(found.body[0]["on_hand"].as_i64().or(found.body["items"][0]["on_hand"].as_i64()), Some(3));
    assert_eq!(shelf(&pool, "A", "S1").await, (3, 1, 0, 0));
    pool.cancel(id, &[], &[]).await.unwrap();
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_comes_back_goes_where_it_is_said_to_and_a_void_undoes_it() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10)]).await;
    let back = |disposition| till("S1", PosKind::Return, &[("A", -2, disposition)]);
    let undone = |disposition| till("S1", PosKind::Void, &[("A", 2, disposition)]);
    for (disposition, there) in [(RESTOCK, (12, 0, 0, 0)), (QUARANTINE, (12, 0, 2, 0)), (SCRAP, (10, 0, 0, 0))] {
        sell(&pool, &[back(disposition)]).await;
        assert_eq!(shelf(&pool, "A", "S1").await, there, "{disposition:?}");
        sell(&pool, &[undone(disposition)]).await;
        assert_eq!(shelf(&pool, "A", "S1").await, (10, 0, 0, 0), "{disposition:?} undone");
    }
    // A sale that is undone is on the shelf again, and an exchange is both.
    sell(&pool, &[sale("S1", "A", 3), till("S1", PosKind::Void, &[("A", -3, RESTOCK)])]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (10, 0, 0, 0));
    sell(&pool, &[till("S1", PosKind::Exchange, &[("A", -1, None), ("B", 1, None)])]).await;
    assert_eq!((shelf(&pool, "A", "S1").await, shelf(&pool, "B", "S1").await), ((11, 0, 0, 0), (0, 0, 0, 1)));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_return_in_the_batch_of_a_sale_settles_it() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    sell(&pool, &[sale("S1", "A", 3), till("S1", PosKind::Return, &[("A", -1, RESTOCK)])]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 1));
    assert_eq!(debts(&pool, "S1").await, [("A".to_owned(), 2, 1)]);
    // What was apart and has been sorted out since is taken from the shelf; what is not there is owed.
    sell(&pool, &[till("S1", PosKind::Void, &[("A", 1, QUARANTINE)])]).await;
    assert_eq!(shelf(&pool, "A", "S1").await, (0, 0, 0, 2));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_bundle_is_sold_in_parts_and_the_unknown_waits() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 5), ("POT", "S1", 5)]).await;
    sell(&pool, &[sale("S1", "SET", 2)]).await;
    assert_eq!((shelf(&pool, "CUP", "S1").await.0, shelf(&pool, "POT", "S1").await.0), (1, 3));
    let unknown = pool.service.hear(&[sale("S1", "LATER", 1)]).await;
    assert!(matches!(unknown, Err(ConsumeError::Retry(_))), "{unknown:?}");
    pool.service.hear(&[sku("LATER", 1, &[])]).await.unwrap();
    sell(&pool, &[sale("S1", "LATER", 1)]).await;
    assert_eq!(shelf(&pool, "LATER", "S1").await, (0, 0, 0, 1));
    let nowhere = pool.service.hear(&[sale("NOWHERE", "A", 1)]).await;
    assert!(matches!(nowhere, Err(ConsumeError::Park(_))), "{nowhere:?}");
}

#[actix_web::test]
async fn a_store_sees_its_own_debts() {
    let pool = Pool::new().await;
    sell(&pool, &[sale("S1", "A", 1), sale("S2", "A", 1)]).await;
    let all = pool.service.get("/v1/stock/debts?limit=1").await;
    assert_eq!(all.body["items"][0]["location"], "S1");
    let cursor = all.body["next_cursor"].as_str().unwrap();
    let rest = pool.service.get(&format!("/v1/stock/debts?limit=1&cursor={cursor}")).await;
    assert_eq!((&rest.body["items"][0]["location"], &rest.body["next_cursor"]), (&json!("S2"), &Value::Null));
    let at = Timestamp::from(pool.service.test.store.now().utc());
    assert_eq!(rest.body["items"][0]["since"].as_str().unwrap().parse::<Timestamp>().unwrap(), at);
}
