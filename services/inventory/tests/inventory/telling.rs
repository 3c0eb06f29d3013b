//! `availability.changed`, told by several replicas at once.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::events::AvailabilityChanged;
use futures_util::future::join_all;
use runtime::lifecycle::Lifecycle;
use serde_json::json;
use service::{Job, run_job};
use store::{Store, StoreOptions};
use testkit::{eventually, told};

use crate::support::Pool;

/// Three replicas tell without a pause while thirty buyers change what there is: what is told of a SKU rises in version, is
/// told once, and ends at what there is.
#[actix_web::test]
async fn replicas_that_tell_at_once_tell_each_state_once_and_in_order() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 50), ("B", "S1", 50)]).await;
    let rule = json!({"channel": "live", "scope": {"sku": "A"}, "mode": "exclusive", "value": 4});
    assert_eq!(pool.service.put("/v1/sharing-rules/live", rule).await.status, 201);
    let tells = pool.service.job("tell_availability");
    let lifecycle = Lifecycle::new();
    for _ in 0..3 {
        let options = StoreOptions::new(pool.service.test.database.url(), "inventory");
        let replica = Store::connect(options, pool.service.test.clock.clone()).unwrap();
        run_job(&replica, Job { every: Duration::ZERO, ..tells.clone() }, &lifecycle);
    }
    let holds = (0..30).map(|number| {
        let (sku, channel) = if number % 2 == 0 { ("A", "tmall") } else { ("B", "live") };
        let pool = &pool;
        async move { pool.hold(&[(sku, 1)], json!({"channel": channel})).await.status }
    });
    assert!(join_all(holds).await.iter().all(|status| *status == 201));
    assert_eq!(pool.hold(&[("A", 1)], json!({"channel": "live"})).await.status, 201);
    // 50 of each; 15 of A and of B are held, and of A one more by live, which has 3 of its 4 left that no other sees.
    let ends = BTreeMap::from([
        (("A".to_owned(), String::new()), 50 - 16 - 3),
        (("A".to_owned(), "live".to_owned()), 3),
        (("B".to_owned(), String::new()), 50 - 15),
    ]);
    let mut last: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    eventually("the last state is told", async || {
        last = levels(&pool).await;
        (last.iter().map(|(key, (_, available))| (key.clone(), *available)).collect::<BTreeMap<_, _>>() == ends)
            .then_some(())
    })
    .await;
    lifecycle.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(levels(&pool).await, last, "nothing more is told");
    for ((sku, channel), (_, available)) in &last {
        // The last change of each SKU changed what some channel may sell, so the newest version of it was told.
        let version = last.iter().filter(|((other, _), _)| other == sku).map(|(_, (version, _))| *version).max();
        let channel = if channel.is_empty() { "tmall" } else { channel };
        let path = format!("/v1/availability?channel={channel}&sku={sku}");
        eventually("what was told is what is read", async || {
            let read = pool.service.get(&path).await.body[0].clone();
            ((&read["version"], &read["available"]) == (&json!(version), &json!(available))).then_some(())
        })
        .await;
    }
}

/// What was told last, `(version, available)` by SKU and channel; each version told is above the one before it.
async fn levels(pool: &Pool) -> BTreeMap<(String, String), (i64, i64)> {
    let mut last: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for event in told::<AvailabilityChanged>(&pool.service.test.store).await {
        for level in &event.levels {
            let channel = level.channel.as_ref().map(ToString::to_string).unwrap_or_default();
            let before = last.insert((event.sku.to_string(), channel), (level.version, level.available));
            assert!(before.is_none_or(|(version, _)| version < level.version), "{before:?}, and then {level:?}");
        }
    }
    last
}
