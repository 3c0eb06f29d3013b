//! What must be so after the siege, by the database's own rows.

use serde_json::json;

use super::ground::{CHANNELS, SKUS, sku};
use crate::checks::{everything_adds_up, none};
use crate::{Api, Deployment};

/// Judges; panics at the first thing that is not as it must be.
pub async fn judge(deployment: &Deployment, api: &Api) {
    everything_adds_up(deployment, api).await;
    none(
        deployment,
        "deadlocks",
        "SELECT deadlocks AS number FROM pg_stat_database WHERE datname = current_database()",
    );
    shares_add_up(deployment);
    for (channel, rule) in CHANNELS {
        match rule {
            Some(("quota" | "exclusive", most)) => within(deployment, channel, most),
            Some(("excluded", _)) => within(deployment, channel, 0),
            _ => {}
        }
    }
    what_is_kept_is_there(deployment, api).await;
}

/// What is counted as promised is what lines say, and no count is beyond its rule.
fn shares_add_up(deployment: &Deployment) {
    none(
        deployment,
        "uses of shares that are not the sum of their lines",
        "SELECT count(*) AS number FROM inventory.shares_used FULL JOIN (
             SELECT sku, count_id, sum(quantity) AS lines FROM inventory.reserved_lines WHERE count_id > 0 GROUP BY 1, 2
         ) AS open USING (sku, count_id) WHERE coalesce(promised, 0) <> coalesce(lines, 0)",
    );
    none(
        deployment,
        "uses beyond what a rule allows",
        "SELECT count(*) AS number FROM inventory.shares_used JOIN inventory.sharing_rules USING (count_id)
         WHERE promised + shipped > value",
    );
    none(
        deployment,
        "SKUs of which availability is not the sum of the balances",
        "SELECT count(*) AS number FROM inventory.availability v WHERE available <> (SELECT coalesce(sum(greatest(0,
             on_hand - reserved - quarantined - safety)), 0) FROM inventory.stock s WHERE s.sku = v.sku AND sells)",
    );
}

/// No SKU's units that a channel's orders and holds have, or took away, are more than its share: from the order book and
/// the holds, not from what is counted.
fn within(deployment: &Deployment, channel: &str, most: i64) {
    let sql = format!(
        "SELECT count(*) AS number FROM (
             SELECT sku, sum(units) AS units FROM (
                 SELECT line->>'sku' AS sku, (line->>'quantity')::bigint AS units
                 FROM \"order\".fulfilments JOIN \"order\".orders USING (order_id)
                 CROSS JOIN json_array_elements(lines::json) AS line
                 WHERE channel = '{channel}' AND fulfilments.status NOT IN ('rejected', 'cancelled')
                 UNION ALL
                 SELECT l.sku, l.quantity FROM inventory.reservations r JOIN inventory.reserved_lines l ON l.owner = r.id
                 WHERE r.channel = '{channel}' AND r.state = 'held'
             ) AS all_units GROUP BY sku
         ) AS used WHERE units > {most}"
    );
    none(deployment, &format!("SKUs of which {channel} has more than {most}"), &sql);
}

/// What is left of every ring-fence is still there, can be sold by its channel, and not one unit more.
async fn what_is_kept_is_there(deployment: &Deployment, api: &Api) {
    for (channel, rule) in CHANNELS {
        let Some(("exclusive", kept)) = rule else { continue };
        for number in 0..SKUS {
            let used = format!(
                "SELECT coalesce(sum(promised + shipped), 0)::bigint AS number FROM inventory.shares_used \
                 JOIN inventory.sharing_rules r USING (count_id) WHERE r.id = '{channel}' AND shares_used.sku = '{}'",
                sku(number)
            );
            let left = kept - deployment.number(&used);
            let path = format!("/v1/availability/{}/waterfall?channel={channel}", sku(number));
            assert_eq!(api.get(&path).await.ok()["available"], json!(left), "{channel}'s own of {}", sku(number));
            let hold = |units: i64| json!({ "channel": channel, "lines": [{ "sku": sku(number), "quantity": units }], "ttl_seconds": 600 });
            if left > 0 {
                api.post("/v1/reservations", &hold(1)).await.status(201);
            }
            api.post("/v1/reservations", &hold(left.max(0) + 1)).await.status(409);
        }
    }
}
