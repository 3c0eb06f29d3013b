//! Replays: past orders decided again by another ruleset.

use std::time::Duration;

use actix_web::http::Method;
use contracts::events::PosKind;
use inventory::app::replay_orders::Replays;
use kernel::id::OrderId;
use serde_json::{Value, json};
use testkit::Reply;

use crate::support::{Pool, code, fulfilment_line, order, pickup, till};

const PATH: &str = "/v1/sourcing/replays";

pub fn later(pool: &Pool, minutes: u64) -> String {
    pool.service.test.clock.advance(Duration::from_secs(minutes * 60));
    pool.service.test.store.now().to_string()
}

async fn ask(pool: &Pool, from: &str, until: &str, fields: Value) -> Reply {
    let mut body = json!({"from": from, "until": until, "ruleset": 1});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    pool.service.post(PATH, body).await
}

/// A replay, run to its end.
pub async fn replay(pool: &Pool, from: &str, until: &str, fields: Value) -> Value {
    let asked = ask(pool, from, until, fields).await;
    assert_eq!((asked.status, &asked.body["status"]), (202, &json!("queued")), "{}", asked.text);
    let path = format!("{PATH}/{}", asked.body["id"].as_str().unwrap());
    assert_eq!(asked.header("Location"), Some(path.as_str()));
    pool.service.run_job("replay_orders").await;
    let reply = pool.service.get(&path).await;
    assert_eq!(reply.body["status"], "done", "{}", reply.text);
    reply.body
}

async fn warehouse_first(pool: &Pool) -> Value {
    let examples = pool.service.get("/v1/sourcing/rulesets/examples").await.body;
    examples.as_array().unwrap().iter().find(|it| it["name"] == "warehouse-first").unwrap().clone()
}

/// The worked example of docs/sourcing.md, section "What if".
#[actix_web::test]
async fn warehouses_first_would_have_spared_the_stores_and_cost_kilometres() {
    let pool = Pool::new().await;
    pool.location("WH", json!({"longitude": 10.0, "kind": "warehouse"})).await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 9), ("A", "WH", 9), ("B", "S3", 1)]).await;
    let from = later(&pool, 60);
    let mut first = None;
    for lines in [[("A", 1)], [("A", 1)], [("A", 1)], [("B", 1)], [("B", 5)]] {
        let id = pool.place(order(&lines)).await;
        first = first.or(Some(id));
    }
    let until = later(&pool, 60);
    let mut candidate = warehouse_first(&pool).await;
    candidate["cost"] =
        json!({"per_parcel": 800, "per_kilometre": 2, "per_kind": {"warehouse": 0, "store": 350, "dealer": 500}});
    let body = replay(&pool, &from, &until, json!({"ruleset": candidate})).await;
    assert_eq!(body["progress"], json!({"decisions": 5, "read": 5, "replayed": 5}));
    let report = &body["report"];
    // A degree on the equator is 111,195 m: two parcels of one degree, one of two, one of three; then three of ten degrees
    // and one of three. A parcel costs 8.00 and 0.02 a kilometre, and 3.50 more from a store.
    let happened = json!({"orders": 5, "claimed": 0, "whole": 4, "split": 0, "greedy": 0, "partial": 0, "backordered": 1,
        "missing_units": 5, "splits": 0, "parcels": 4, "orders_by_parcels": {"1": 4}, "mean_metres": 194_591,
        "p95_metres": 331_776, "cost": 2 * 1_372 + 1_594 + 1_817, "late": 0});
    let would_have = json!({"orders": 5, "claimed": 0, "whole": 4, "split": 0, "greedy": 0, "partial": 0, "backordered": 1,
        "missing_units": 5, "splits": 0, "parcels": 4, "orders_by_parcels": {"1": 4}, "mean_metres": 917_359,
        "p95_metres": 1_105_920, "cost": 3 * 3_023 + 1_817, "late": 0});
    assert_eq!(report["happened"], happened);
    assert_eq!(report["candidate"], would_have);
    let difference = &report["difference"];
    assert_eq!((&difference["mean_metres"], &difference["cost"]), (&json!(722_768), &json!(4_731)));
    let changes: Vec<(&str, i64)> = report["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["location"].as_str().unwrap(), it["change"].as_i64().unwrap()))
        .collect();
    assert_eq!(changes, [("WH", 3), ("S1", -2), ("S2", -1)]);
    assert_eq!(report["moved"], 3);
    let example = json!({"order_id": first.unwrap(), "from": ["S1"], "to": ["WH"], "metres_before": 111_195,
        "metres_after": 1_111_951});
    assert_eq!(report["examples"][0], example);
    // Each of the five looked at the three stores, which the tier of warehouses does not admit.
    let tiers = json!([
        {"ruleset": null, "place": 0, "name": "warehouse", "orders": 3, "kept_out": {"kind": 15}},
        {"ruleset": null, "place": 1, "name": "store", "orders": 1, "kept_out": {}}]);
    assert_eq!(report["tiers_candidate"], tiers);
    assert_eq!(
        report["tiers_happened"],
        json!([{"ruleset": 1, "place": 0, "name": "nearest", "orders": 4, "kept_out": {}}])
    );
}

/// Five of A at S1, two of them promised before the window; then stock comes, is damaged, and everything ships.
async fn a_busy_day(pool: &Pool) -> (String, String) {
    pool.receive(&[("A", "S1", 5), ("CUP", "S2", 4), ("POT", "S2", 2), ("B", "S3", 3)]).await;
    let before = pool.place(order(&[("A", 2)])).await;
    let gone = pool.place(order(&[("A", 1)])).await;
    pool.cancel(gone, &[], &[]).await.unwrap();
    let from = later(pool, 60);
    later(pool, 1);
    let first = pool.place(order(&[("A", 3)])).await;
    later(pool, 1);
    let waits = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.waits(waits).await.len(), 1);
    later(pool, 1);
    pool.receive(&[("A", "S2", 2)]).await;
    later(pool, 1);
    let second = pool.place(order(&[("A", 1), ("SET", 2)])).await;
    pool.place(pickup(&[("B", 1)], "S3")).await;
    let hold = pool.hold(&[("B", 2)], json!({})).await;
    let mut claiming = order(&[("B", 2)]);
    claiming.reservation_id = Some(crate::support::id_of(&hold));
    pool.place(claiming).await;
    later(pool, 1);
    pool.receive(&[("A", "S2", -1), ("A", "S3", 4)]).await;
    later(pool, 1);
    pool.service.hear(&[order(&[("A", 3)]), order(&[("A", 1)]), order(&[("A", 1)])]).await.unwrap();
    let until = later(pool, 1);
    pool.ship(before, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    pool.ship(first, "S1", vec![fulfilment_line(1, "A", 3)]).await.unwrap();
    pool.ship(second, "S2", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    later(pool, 60);
    (from, until)
}

#[actix_web::test]
async fn by_the_ruleset_that_was_in_force_nothing_changes() {
    let pool = Pool::new().await;
    let (from, until) = a_busy_day(&pool).await;
    let report = replay(&pool, &from, &until, json!({})).await["report"].clone();
    // A: 3 from S1, none, 1 from S2; then 3 and 1 from S3, none. A set, a pickup, a claimed hold.
    let happened = &report["happened"];
    let count = |field: &str| happened[field].as_i64().unwrap();
    assert_eq!((count("orders"), count("backordered"), count("claimed")), (8, 2, 1));
    assert_eq!(report["candidate"], *happened);
    assert_eq!((&report["moved"], &report["locations"]), (&json!(0), &json!([])));
    assert_eq!(report["tiers_candidate"], report["tiers_happened"]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_replay_goes_on_where_it_stopped() {
    let pool = Pool::new().await;
    let (from, until) = a_busy_day(&pool).await;
    // Nothing ships farther than two degrees, so that the last two orders wait.
    let near = json!({"name": "near", "tiers": [{"name": "near", "filters": {"max_distance_metres": 250_000}}]});
    let candidate = json!({"ruleset": near});
    let whole = replay(&pool, &from, &until, candidate.clone()).await;
    assert_eq!(whole["report"]["moved"], 2);
    let asked = ask(&pool, &from, &until, candidate).await;
    let path = format!("{PATH}/{}", asked.body["id"].as_str().unwrap());
    let zone = chrono_tz::Asia::Shanghai;
    // Each page in a process of its own, and a step that is not committed after each.
    let mut steps = 0;
    loop {
        let replays = std::sync::Arc::new(Replays::new(zone).in_pages_of(2));
        let (first, lost) = (replays.clone(), replays.clone());
        if !pool.service.test.store.transact("step", move |tx| first.step(tx)).await.unwrap() {
            break;
        }
        let broken = pool.service.test.store.transact("lost", move |tx| {
            lost.step(tx)?;
            Err::<(), _>(store::Error::Conflict("the process dies".to_owned()))
        });
        assert!(broken.await.is_err());
        pool.service.test.store.transact("again", move |tx| replays.step(tx)).await.unwrap();
        steps += 2;
    }
    let pieces = pool.service.get(&path).await.body;
    // Eight orders in pages of two, and a page without any to see the end.
    assert!(steps >= 5, "{steps}");
    assert_eq!((&pieces["status"], &pieces["report"]), (&json!("done"), &whole["report"]));
    assert_eq!(pool.number("SELECT count(*) FROM replay_taken").await, 0);
}

/// A location with two slots a day, one of them used before the window, stands in for the one that was chosen.
#[actix_web::test]
async fn a_day_that_is_full_sends_replayed_orders_elsewhere() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 2})).await;
    pool.receive(&[("A", "S1", 9), ("A", "S2", 9), ("A", "S3", 50)]).await;
    let early = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(early).await[0].1[0].2, "S1");
    let stocked = json!({"name": "stocked", "tiers": [{"name": "all", "sort": ["stock"]}]});
    let version = pool.service.post("/v1/sourcing/rulesets", stocked).await.body["version"].clone();
    assert_eq!(pool.service.post(&format!("/v1/sourcing/rulesets/{version}/activate"), Value::Null).await.status, 200);
    let from = later(&pool, 60);
    for minutes in [1, 1, 24 * 60, 1] {
        let id = pool.place(order(&[("A", 1)])).await;
        assert_eq!(pool.sourced(id).await[0].1[0].2, "S3");
        later(&pool, minutes);
    }
    let until = later(&pool, 60);
    // By the nearest: the first gets S1's second slot of the 11th, the next two find it full, and the last, on the 12th,
    // finds S1 free again. Two parcels of one degree and two of two, instead of four of three.
    pool.service.test.clock.advance(Duration::from_secs(60));
    let nearest = json!({"ruleset": 1});
    let report = replay(&pool, &from, &until, nearest.clone()).await["report"].clone();
    let means = (&report["happened"]["mean_metres"], &report["candidate"]["mean_metres"]);
    assert_eq!((means, &report["moved"]), ((&json!(333_585), &json!(166_792)), &json!(4)));
    assert_eq!(changes(&report), [("S1", 2), ("S2", 2), ("S3", -4)]);
    // Page by page, each in a process of its own, it finds the same: what replayed orders use is kept.
    let asked = ask(&pool, &from, &until, nearest).await;
    let path = format!("{PATH}/{}", asked.body["id"].as_str().unwrap());
    loop {
        let step = Replays::new(chrono_tz::Asia::Shanghai).in_pages_of(1);
        if !pool.service.test.store.transact("step", move |tx| step.step(tx)).await.unwrap() {
            break;
        }
    }
    assert_eq!(pool.service.get(&path).await.body["report"], report);
    // Where capacity is not respected all of them ship from S1.
    let careless =
        json!({"name": "careless", "respect": {"capacity": false}, "tiers": [{"name": "all", "sort": ["distance"]}]});
    let report = replay(&pool, &from, &until, json!({"ruleset": careless})).await["report"].clone();
    assert_eq!(changes(&report), [("S1", 4), ("S3", -4)]);
    pool.is_proved().await;
}

/// How many parcels more, or fewer, locations would have sent.
fn changes(report: &Value) -> Vec<(&str, i64)> {
    let of = |it: &'_ Value| it["change"].as_i64().unwrap();
    let locations = report["locations"].as_array().unwrap().iter();
    let mut changes: Vec<(&str, i64)> = locations.map(|it| (it["location"].as_str().unwrap(), of(it))).collect();
    changes.sort_unstable();
    changes
}

#[actix_web::test]
async fn other_channels_keep_what_they_got() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 1)]).await;
    let from = later(&pool, 60);
    let elsewhere = |units: i64| {
        let mut placed = order(&[("A", units)]);
        placed.channel = code("jd");
        placed
    };
    // By stock the first would ship from S1, too; jd keeps S1's second unit, which leaves S2 for the third.
    let ids: Vec<OrderId> = vec![pool.place(order(&[("A", 1)])).await, pool.place(elsewhere(1)).await];
    pool.place(order(&[("A", 1)])).await;
    let until = later(&pool, 60);
    let farthest = json!({"name": "x", "tiers": [{"name": "all", "sort": ["stock"]}]});
    let bound = json!({"ruleset": farthest, "channels": ["tmall"]});
    let body = replay(&pool, &from, &until, bound).await;
    assert_eq!(body["progress"], json!({"decisions": 3, "read": 3, "replayed": 2}));
    assert_eq!((&body["report"]["moved"], &body["report"]["candidate"]["whole"]), (&json!(0), &json!(2)));
    let limited = replay(&pool, &from, &until, json!({"limit": 1})).await;
    assert_eq!(limited["report"]["happened"]["orders"], 1);
    assert_eq!(ids.len(), 2);
    // A client that is bound to a channel replays that channel alone, and sees such replays alone.
    let mut claims = pool.service.credentials.claims("shop", "sourcing:read sourcing:write");
    claims.channels = Some([code("jd")].into());
    let window = json!({"from": from, "until": until, "ruleset": 1});
    let own = pool.service.call_as(&claims, Method::POST, PATH, window.clone()).await;
    assert_eq!((own.status, &own.body["channels"]), (202, &json!(["jd"])), "{}", own.text);
    let mut foreign = window.clone();
    foreign["channels"] = json!(["tmall"]);
    assert_eq!(pool.service.call_as(&claims, Method::POST, PATH, foreign).await.status, 403);
    let list = pool.service.call_as(&claims, Method::GET, PATH, Value::Null).await.body;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["id"]), (1, &own.body["id"]));
    let path = format!("{PATH}/{}", body["id"].as_str().unwrap());
    assert_eq!(pool.service.call_as(&claims, Method::GET, &path, Value::Null).await.status, 403);
    let reader = pool.service.credentials.claims("reader", "sourcing:read");
    assert_eq!(pool.service.call_as(&reader, Method::POST, PATH, window).await.status, 403);
    assert_eq!(pool.service.call_as(&reader, Method::GET, &path, Value::Null).await.status, 200);
}

#[actix_web::test]
async fn what_cannot_be_replayed_is_refused_by_its_field() {
    let pool = Pool::new().await;
    let from = later(&pool, 0);
    let until = later(&pool, 60);
    let field = async |from: &str, until: &str, fields: Value| {
        let reply = ask(&pool, from, until, fields).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        reply.body["errors"][0]["field"].as_str().unwrap().to_owned()
    };
    assert_eq!(field(&until, &from, json!({})).await, "until");
    assert_eq!(field(&from, "2027-11-11T00:00:00Z", json!({})).await, "until");
    assert_eq!(field(&from, &until, json!({"limit": 0})).await, "limit");
    assert_eq!(field(&from, &until, json!({"channels": []})).await, "channels");
    assert_eq!(field(&from, &until, json!({"ruleset": "nearest"})).await, "ruleset");
    let none = json!({"ruleset": {"name": "x", "tiers": [{"name": "a", "sort": []}]}});
    assert_eq!(field(&from, &until, none).await, "ruleset.tiers[0].sort");
    assert_eq!(ask(&pool, &from, &until, json!({"ruleset": 77})).await.status, 404);
    for _ in 0..10 {
        assert_eq!(ask(&pool, &from, &until, json!({})).await.status, 202);
    }
    assert_eq!(ask(&pool, &from, &until, json!({})).await.status, 429);
    pool.service.run_job("replay_orders").await;
    let list = pool.service.get(&format!("{PATH}?limit=500")).await.body;
    assert!(list["items"].as_array().unwrap().iter().all(|it| it["status"] == "done"));
}

#[actix_web::test]
async fn what_tills_sold_has_left_in_a_replay_too_whether_the_books_could_spare_it_or_not() {
    let pool = Pool::new().await;
    pool.location("WH", json!({"longitude": 10.0, "kind": "warehouse"})).await;
    let sold = |units| till("S1", PosKind::Sale, &[("A", units, None)]);
    // One is owed when the window begins: of the four that come then, three are there.
    pool.service.hear(&[sold(1)]).await.unwrap();
    let from = later(&pool, 60);
    pool.receive(&[("A", "S1", 4), ("A", "WH", 3)]).await;
    pool.place(order(&[("A", 3)])).await;
    // All three are promised, so that two are owed; with warehouses first one would have been left.
    pool.service.hear(&[sold(2)]).await.unwrap();
    pool.place(order(&[("A", 3)])).await;
    pool.place(order(&[("A", 2)])).await;
    let until = later(&pool, 60);
    let body = replay(&pool, &from, &until, json!({"ruleset": warehouse_first(&pool).await})).await;
    let report = &body["report"];
    // What happened: three from S1, three from WH, nothing left for the last.
    assert_eq!((&report["happened"]["whole"], &report["happened"]["backordered"]), (&json!(2), &json!(1)));
    // What would have: three from WH, and one left in S1, which is enough for neither of the others.
    assert_eq!((&report["candidate"]["whole"], &report["candidate"]["backordered"]), (&json!(1), &json!(2)));
    let places: Vec<(&str, i64)> = report["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["location"].as_str().unwrap(), it["change"].as_i64().unwrap()))
        .collect();
    assert_eq!(places, [("S1", -1)]);
}
