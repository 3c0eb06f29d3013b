//! Sharing rules: what channels may sell, also when many ask at once.

use std::time::Duration;

use contracts::events::{AvailabilityChanged, OrderPlaced};
use futures_util::future::join_all;
use kernel::id::OrderId;
use serde_json::{Value, json};
use testkit::{Reply, eventually, told};

use crate::support::{Pool, code, fulfilment_line, order, row, sku};

impl Pool {
    async fn rule(&self, id: &str, rule: Value) -> Reply {
        self.service.put(&format!("/v1/sharing-rules/{id}"), rule).await
    }

    /// A rule of a channel for everything, but for what `fields` say.
    async fn shares(&self, channel: &str, mode: &str, fields: Value) {
        let mut rule = json!({"channel": channel, "mode": mode});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = self.rule(channel, rule).await;
        assert!(reply.status < 300, "{}", reply.text);
    }

    /// What a channel may sell: by the waterfall, whose terms add up, and by what is kept once that has caught up.
    async fn may_sell(&self, channel: &str, sku: &str) -> i64 {
        let waterfall = self.service.get(&format!("/v1/availability/{sku}/waterfall?channel={channel}")).await.body;
        let sum: i64 = waterfall["terms"].as_array().unwrap().iter().map(|it| it["units"].as_i64().unwrap()).sum();
        assert_eq!(waterfall["available"], json!(sum), "{waterfall}");
        eventually(&format!("{sum} units of {sku} are kept as available to {channel}"), async || {
            let kept = self.service.get(&format!("/v1/availability?channel={channel}&sku={sku}")).await.body;
            (kept[0]["available"] == json!(sum) && kept[0]["version"] == waterfall["version"]).then_some(())
        })
        .await;
        sum
    }

    async fn holds(&self, channel: &str, sku: &str, units: i64) -> Reply {
        self.hold(&[(sku, units)], json!({"channel": channel})).await
    }
}

fn of(channel: &str, order: OrderPlaced) -> OrderPlaced {
    OrderPlaced { channel: code(channel), ..order }
}

#[actix_web::test]
async fn every_mode_is_kept_in_holds_and_orders_alike() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 60), ("A", "S2", 40)]).await;
    pool.shares("half", "percentage", json!({"value": 50})).await;
    pool.shares("few", "quota", json!({"value": 10})).await;
    pool.shares("none", "excluded", json!({})).await;
    pool.shares("slow", "shared", json!({"buffer": 30})).await;
    pool.shares("south", "shared", json!({"locations": ["S2"]})).await;
    for (channel, most) in [("half", 50), ("few", 10), ("none", 0), ("slow", 70), ("south", 40), ("free", 100)] {
        assert_eq!(pool.may_sell(channel, "A").await, most, "{channel}");
        let refused = pool.holds(channel, "A", most + 1).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (409, Some("insufficient_stock")), "{channel}");
        let id = pool.place(of(channel, order(&[("A", most + 1)]))).await;
        assert_eq!(pool.waits(id).await, [(1, vec![("A".to_owned(), 1)])], "{channel}");
    }
    for (channel, most) in [("half", 50), ("few", 10), ("slow", 10), ("free", 30)] {
        assert_eq!(pool.holds(channel, "A", most).await.status, 201, "{channel}");
    }
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_quota_counts_what_is_promised_and_shipped_and_gets_back_what_is_not_bought() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 100)]).await;
    pool.shares("live", "quota", json!({"value": 10, "scope": {"sku": "A"}})).await;
    let first = pool.place(of("live", order(&[("A", 4)]))).await;
    assert_eq!(pool.may_sell("live", "A").await, 6);
    pool.ship(first, "S1", vec![fulfilment_line(1, "A", 4)]).await.unwrap();
    assert_eq!(pool.may_sell("live", "A").await, 6);
    let second = pool.place(of("live", order(&[("A", 5)]))).await;
    assert_eq!(pool.may_sell("live", "A").await, 1);
    pool.cancel(second, &[(1, "A", 2)], &[row(1, "A", "S1", 2)]).await.unwrap();
    assert_eq!(pool.may_sell("live", "A").await, 3);
    assert_eq!(pool.holds("live", "A", 3).await.status, 201);
    assert_eq!(pool.may_sell("live", "A").await, 0);
    // A hold that has run out counts no more, also before it is swept.
    pool.service.test.clock.advance(Duration::from_secs(601));
    assert_eq!(pool.holds("live", "A", 3).await.status, 201);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_claimed_hold_keeps_its_count_and_a_rejected_order_is_counted_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10), ("A", "S2", 10)]).await;
    pool.shares("live", "exclusive", json!({"value": 6})).await;
    let hold = pool.holds("live", "A", 4).await;
    let claim = OrderPlaced { reservation_id: Some(crate::support::id_of(&hold)), ..order(&[("A", 4)]) };
    let id = pool.place(of("live", claim)).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 4)])]);
    assert_eq!(pool.may_sell("live", "A").await, 2);
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 4)]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S2", 4)]));
    assert_eq!(pool.may_sell("live", "A").await, 2);
    pool.cancel(id, &[], &[]).await.unwrap();
    assert_eq!(pool.may_sell("live", "A").await, 6);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_is_kept_for_one_channel_is_invisible_to_the_others() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 8), ("A", "S2", 12)]).await;
    pool.shares("live", "exclusive", json!({"value": 5})).await;
    assert_eq!((pool.may_sell("live", "A").await, pool.may_sell("tmall", "A").await), (5, 15));
    let waterfall = pool.service.get("/v1/availability/A/waterfall?channel=tmall").await.body;
    assert_eq!(
        waterfall["terms"],
        json!([{"term": "on_hand", "units": 20}, {"term": "exclusive_to_others", "units": -5, "rules": ["live"]}])
    );
    assert_eq!(pool.holds("tmall", "A", 16).await.status, 409);
    assert_eq!(pool.holds("tmall", "A", 15).await.status, 201);
    assert_eq!(pool.holds("live", "A", 5).await.status, 201);
    assert_eq!(pool.holds("live", "A", 1).await.status, 409);
}

#[actix_web::test]
async fn a_ring_fence_at_one_shop_sends_others_to_the_next_shop() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 8), ("A", "S2", 12)]).await;
    pool.shares("live", "exclusive", json!({"value": 5, "locations": ["S1"]})).await;
    // S1 is nearer and has 8, but 5 of them must stay there.
    let near = pool.place(order(&[("A", 3)])).await;
    assert_eq!(pool.sourced(near).await, [(1, vec![row(1, "A", "S1", 3)])]);
    let next = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(next).await, [(1, vec![row(1, "A", "S2", 1)])]);
    assert_eq!((pool.may_sell("tmall", "A").await, pool.may_sell("live", "A").await), (11, 5));
    let own = pool.place(of("live", order(&[("A", 5)]))).await;
    assert_eq!(pool.sourced(own).await, [(1, vec![row(1, "A", "S1", 5)])]);
}

#[actix_web::test]
async fn the_most_specific_rule_applies_and_categories_follow_the_catalogue() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 100), ("B", "S1", 100)]).await;
    pool.shares("live", "percentage", json!({"value": 10})).await;
    let tops = json!({"channel": "live", "mode": "percentage", "value": 20, "scope": {"category": "tops"}});
    assert_eq!(pool.rule("live-tops", tops).await.status, 201);
    assert_eq!((pool.may_sell("live", "A").await, pool.may_sell("live", "B").await), (10, 10));
    pool.service
        .hear(&[contracts::events::SkuChanged { category: Some("tops".to_owned()), ..sku("A", 2, &[]) }])
        .await
        .unwrap();
    assert_eq!((pool.may_sell("live", "A").await, pool.may_sell("live", "B").await), (20, 10));
    assert_eq!(pool.holds("live", "A", 20).await.status, 201);
    let one = json!({"channel": "live", "mode": "quota", "value": 3, "scope": {"sku": "A"}});
    assert_eq!(pool.rule("live-a", one).await.status, 201);
    assert_eq!(pool.may_sell("live", "A").await, 3);
    assert_eq!(
        pool.service.call(actix_web::http::Method::DELETE, "/v1/sharing-rules/live-a", Value::Null).await.status,
        204
    );
    assert_eq!(pool.may_sell("live", "A").await, 16);
}

#[actix_web::test]
async fn a_rule_counts_on_when_it_is_replaced_and_from_zero_when_it_is_made_anew() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 100)]).await;
    pool.shares("live", "quota", json!({"value": 10})).await;
    let held = pool.holds("live", "A", 8).await;
    pool.shares("live", "quota", json!({"value": 20})).await;
    assert_eq!(pool.may_sell("live", "A").await, 12);
    pool.shares("live", "quota", json!({"value": 5})).await;
    assert_eq!(pool.may_sell("live", "A").await, 0);
    pool.service.call(actix_web::http::Method::DELETE, "/v1/sharing-rules/live", Value::Null).await;
    pool.shares("live", "quota", json!({"value": 5})).await;
    assert_eq!(pool.may_sell("live", "A").await, 5);
    // What was counted by the former rule is not given back to this one.
    let path = format!("/v1/reservations/{}", crate::support::id_of(&held));
    assert_eq!(pool.service.call(actix_web::http::Method::DELETE, &path, Value::Null).await.status, 200);
    assert_eq!(pool.may_sell("live", "A").await, 5);
    pool.is_proved().await;
}

#[actix_web::test]
async fn orders_beyond_a_quota_are_served_when_the_rule_allows_more() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 100)]).await;
    pool.shares("live", "quota", json!({"value": 1})).await;
    let id: OrderId = pool.place(of("live", order(&[("A", 2)]))).await;
    assert!(pool.sourced(id).await.is_empty());
    pool.shares("live", "quota", json!({"value": 2})).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await, [(2, vec![row(1, "A", "S1", 2)])]);
}

#[actix_web::test]
async fn a_quota_and_a_ring_fence_hold_when_many_ask_at_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 20), ("A", "S2", 20)]).await;
    pool.shares("few", "quota", json!({"value": 7})).await;
    pool.shares("live", "exclusive", json!({"value": 12})).await;
    let asks = (0..90).map(|n| {
        let channel = ["few", "live", "tmall"][n % 3];
        let pool = &pool;
        async move { (channel, pool.holds(channel, "A", 1).await.status) }
    });
    let answers = join_all(asks).await;
    let granted = |channel: &str| answers.iter().filter(|it| **it == (channel, 201)).count();
    assert_eq!((granted("few"), granted("live")), (7, 12));
    assert_eq!(granted("tmall"), 40 - 12 - 7);
    assert_eq!(pool.may_sell("tmall", "A").await, 0);
    pool.is_proved().await;
}

#[actix_web::test]
async fn stock_at_a_closed_location_is_not_for_sale_until_it_opens() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 2)]).await;
    assert_eq!(pool.may_sell("tmall", "A").await, 7);
    assert_eq!(pool.location("S1", json!({"longitude": 1.0, "status": "inactive"})).await.status, 200);
    assert_eq!(pool.may_sell("tmall", "A").await, 2);
    pool.receive(&[("A", "S1", 4)]).await;
    assert_eq!(pool.may_sell("tmall", "A").await, 2);
    assert_eq!(pool.location("S1", json!({"longitude": 1.0})).await.status, 200);
    assert_eq!(pool.may_sell("tmall", "A").await, 11);
}

#[actix_web::test]
async fn channels_are_told_what_they_may_sell_once_per_change_that_matters() {
    let pool = Pool::new().await;
    pool.shares("live", "quota", json!({"value": 10})).await;
    pool.receive(&[("A", "S1", 1_000)]).await;
    pool.service.run_job("tell_availability").await;
    pool.receive(&[("A", "S1", -20)]).await;
    pool.service.run_job("tell_availability").await;
    pool.holds("live", "A", 1).await;
    pool.holds("live", "A", 1).await;
    pool.service.run_job("tell_availability").await;
    pool.service.call(actix_web::http::Method::DELETE, "/v1/sharing-rules/live", Value::Null).await;
    pool.service.run_job("tell_availability").await;
    let all = told::<AvailabilityChanged>(&pool.service.test.store).await;
    let levels: Vec<Vec<(Option<&str>, i64)>> = all
        .iter()
        .filter(|it| it.sku == code("A"))
        .map(|it| {
            it.levels.iter().map(|level| (level.channel.as_ref().map(|it| it.as_str()), level.available)).collect()
        })
        .collect();
    // 20 of 1,000 fewer are within five percent; two units off a quota of ten are not.
    assert_eq!(levels, [vec![(None, 1_000), (Some("live"), 10)], vec![(Some("live"), 8)], vec![(Some("live"), 978)],]);
    let of_a = all.iter().filter(|it| it.sku == code("A"));
    let versions: Vec<i64> = of_a.flat_map(|it| &it.levels).map(|level| level.version).collect();
    assert!(versions.is_sorted(), "{versions:?}");
}

#[actix_web::test]
async fn bad_rules_are_refused_by_the_field() {
    let pool = Pool::new().await;
    for (rule, field) in [
        (json!({"channel": "c", "mode": "quota"}), "value"),
        (json!({"channel": "c", "mode": "shared", "value": 1}), "value"),
        (json!({"channel": "c", "mode": "percentage", "value": 101}), "value"),
        (json!({"channel": "c", "mode": "shared", "buffer": -1}), "buffer"),
        (json!({"channel": "c", "mode": "shared", "locations": []}), "locations"),
        (json!({"channel": "c", "mode": "shared", "locations": ["NOWHERE"]}), "locations"),
        (json!({"channel": "c", "mode": "shared", "scope": {"sku": "SET"}}), "scope.sku"),
        (json!({"channel": "c", "mode": "shared", "scope": {"sku": "A", "category": "x"}}), "scope.category"),
    ] {
        let reply = pool.rule("r", rule.clone()).await;
        assert_eq!(
            (reply.status, reply.body["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{rule}: {}",
            reply.text
        );
    }
    pool.shares("c", "shared", json!({})).await;
    let twice = pool.rule("other", json!({"channel": "c", "mode": "excluded"})).await;
    assert_eq!((twice.status, twice.body["code"].as_str()), (409, Some("state_conflict")));
    let mut foreign = pool.service.credentials.claims("shop", "sharing:*");
    foreign.channels = Some([code("d")].into());
    let request = actix_web::test::TestRequest::get().uri("/v1/sharing-rules/c");
    assert_eq!(pool.service.send_as(&foreign, request).await.status, 403);
}

/// The example of `docs/sharing.md`.
#[actix_web::test]
async fn the_example_of_the_documentation_is_true() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 60), ("A", "S2", 40), ("A", "S3", 10)]).await;
    assert_eq!(pool.hold(&[("A", 3)], json!({"ship_to": null, "pickup_location": "S1"})).await.status, 201);
    let damage =
        json!([{"sku": "A", "location": "S1", "quantity": 2, "from": "shelf", "to": "quarantine", "reason": "wet"}]);
    assert_eq!(pool.service.post("/v1/stock/damage", damage).await.status, 200);
    let safety = json!([{"sku": "A", "location": "S1", "safety": 5, "reason": "wrong counts"}]);
    assert_eq!(pool.service.post("/v1/stock/adjustments", safety).await.status, 200);
    assert_eq!(pool.location("S3", json!({"longitude": 3.0, "status": "inactive"})).await.status, 200);
    pool.shares("live", "exclusive", json!({"value": 20})).await;
    pool.shares("tmall", "percentage", json!({"value": 50, "buffer": 5})).await;
    let terms = async |channel: &str| {
        let path = format!("/v1/availability/A/waterfall?channel={channel}");
        let body = pool.service.get(&path).await.body;
        let terms = body["terms"].as_array().unwrap().iter();
        terms.map(|it| (it["term"].as_str().unwrap().to_owned(), it["units"].as_i64().unwrap())).collect::<Vec<_>>()
    };
    let same = [("on_hand", 110), ("inactive", -10), ("reserved", -3), ("quarantined", -2), ("safety", -5)];
    let with = |own: &[(&str, i64)]| {
        same.iter().chain(own).map(|(term, units)| ((*term).to_owned(), *units)).collect::<Vec<_>>()
    };
    assert_eq!(terms("live").await, with(&[("beyond_exclusive", -70)]));
    assert_eq!(terms("tmall").await, with(&[("exclusive_to_others", -20), ("beyond_percentage", -35), ("buffer", -5)]));
    assert_eq!(terms("shop").await, with(&[("exclusive_to_others", -20)]));
    let all = async || {
        (pool.may_sell("live", "A").await, pool.may_sell("tmall", "A").await, pool.may_sell("shop", "A").await)
    };
    assert_eq!(all().await, (20, 30, 70));
    assert_eq!(pool.holds("live", "A", 4).await.status, 201);
    assert_eq!(all().await, (16, 30, 70));
}
