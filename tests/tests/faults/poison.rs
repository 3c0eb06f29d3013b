//! Events that cannot be taken: they are parked, others pass them by, and an operator lists, replays or drops them.

use serde_json::json;
use system_tests::checks::{everything_is_final, no_dead_letters};
use system_tests::queues::{Queues, publish};
use system_tests::shop::{NewOrder, Shop, places};
use system_tests::{Deployment, Topology, until};

use crate::load::{CHANNEL, open};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_parked_and_looked_after() {
    // A single try, so that a failure is parked at once.
    let settings = ["order.return_window_seconds=0", "bus.retry_attempts=1"];
    let deployment = Deployment::start(Topology::AllInOneOverRabbit, &settings).await;
    let shop = open(&deployment).await;
    nonsense_is_dropped(&deployment, &shop).await;
    a_fault_is_mended_and_replayed(&deployment, &shop).await;
    everything_is_final(&deployment, &shop.api).await;
}

/// How many events a service has parked.
async fn parked(deployment: &Deployment, service: &str, expected: i64) {
    let count = format!("SELECT count(*) AS number FROM \"{service}\".dead_letters WHERE next_attempt_at IS NULL");
    until(&format!("{service} has parked {expected} events"), async || match deployment.number(&count) {
        found if found == expected => Ok(()),
        found => Err(format!("{found} are parked")),
    })
    .await;
}

/// The numbers that `dead-letters list` prints for a service.
fn numbers(deployment: &Deployment, service: &str) -> Vec<String> {
    let listed = deployment.command(&["dead-letters", "--role", service, "list", "--parked"]);
    let mine = listed.lines().filter_map(|line| line.strip_prefix(service)?.split_whitespace().next());
    mine.map(ToOwned::to_owned).collect()
}

/// A message that is no event, and an event whose content is none: every hearer parks them, and none is held up.
async fn nonsense_is_dropped(deployment: &Deployment, shop: &Shop) {
    let backing = deployment.backing().expect("there is a broker");
    let queues = Queues::connect(&backing.amqp, &backing.amqp_admin).await.expect("the broker is there");
    let channel = queues.channel().await;
    publish(&channel, "order.placed", "no event at all").await;
    let hollow = json!([{ "specversion": "1.0", "id": "018f0000-0000-7000-8000-000000000001", "source": "onepool/order",
        "type": "order.placed", "dataversion": 1, "subject": "018f0000-0000-7000-8000-000000000002",
        "time": "2026-11-11T00:00:00Z", "data": { "order_id": 7 } }]);
    publish(&channel, "order.placed", &hollow.to_string()).await;
    let neighbour = NewOrder::new(CHANNEL, "NEIGHBOUR", places::SHANGHAI).line("RED", 1, 100);
    let neighbour = shop.place(&neighbour).await;
    shop.see_through(&neighbour).await;
    for service in ["inventory", "order", "member", "rebate"] {
        parked(deployment, service, 2).await;
        for number in numbers(deployment, service) {
            // What cannot succeed is parked again, however often it is tried.
            deployment.command(&["dead-letters", "--role", service, "replay", &number]);
            parked(deployment, service, 2).await;
        }
        for number in numbers(deployment, service) {
            deployment.command(&["dead-letters", "--role", service, "drop", &number]);
        }
    }
    no_dead_letters(deployment);
}

/// A release that forgot a table: the rebates of an order wait, everything else of it goes on, and nothing is lost.
async fn a_fault_is_mended_and_replayed(deployment: &Deployment, shop: &Shop) {
    deployment.execute("ALTER TABLE rebate.sale_facts RENAME TO forgotten");
    let order =
        NewOrder::new(CHANNEL, "UNLUCKY", places::SHANGHAI).line("RED", 1, 10_000).with("guide", json!("guide-li"));
    let order = shop.place(&order).await;
    shop.see_through(&order).await;
    let waits = "SELECT count(*) AS number FROM rebate.dead_letters WHERE kind = 'order.placed'";
    until("the order's facts are parked", async || match deployment.number(waits) {
        1 => Ok(()),
        other => Err(format!("{other} are")),
    })
    .await;
    deployment.execute("ALTER TABLE rebate.forgotten RENAME TO sale_facts");
    let path = format!("/v1/rebate/lines?order_id={order}");
    // What came later waits for what came first, so that replaying all of it in any order ends well.
    until("everything that was parked has had its effect", async || {
        for number in numbers(deployment, "rebate") {
            deployment.command(&["dead-letters", "--role", "rebate", "replay", &number]);
        }
        let lines = shop.api.get(&path).await.ok();
        let left = deployment.number("SELECT count(*) AS number FROM rebate.dead_letters");
        if lines["items"][0]["status"] == "payable" && left == 0 {
            Ok(())
        } else {
            Err(format!("{left} left, {lines}"))
        }
    })
    .await;
}
