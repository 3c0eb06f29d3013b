//! What must be so after the siege, by the database's own rows.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::json;

use super::ground::{CHANNELS, Ground, SKUS, is_left_alone, sku};
use super::told::Told;
use crate::checks::{everything_adds_up, none};
use crate::{Api, Deployment, until};

/// Judges; panics at the first thing that is not as it must be. `told` is what all answers say has moved since there was
/// nothing.
pub async fn judge(deployment: &Deployment, api: &Api, ground: Ground, told: &Told) {
    everything_adds_up(deployment, api).await;
    none(
        deployment,
        "deadlocks",
        "SELECT deadlocks AS number FROM pg_stat_database WHERE datname = current_database()",
    );
    nothing_is_oversold(deployment, ground);
    every_unit_is_where_it_was_said_to_go(deployment, told);
    shares_add_up(deployment);
    for (channel, rule) in CHANNELS {
        if matches!(rule, Some("quota" | "exclusive" | "excluded")) {
            within(deployment, channel, ground.value(channel));
        }
    }
    what_is_kept_is_there(deployment, api, ground).await;
    everything_adds_up(deployment, api).await;
}

/// No balance is below zero or promises more than is there, and none ever was; no location has more orders than it ships.
fn nothing_is_oversold(deployment: &Deployment, ground: Ground) {
    none(
        deployment,
        "balances that promise more than is there",
        "SELECT count(*) AS number FROM inventory.stock WHERE on_hand < 0 OR reserved < 0 OR quarantined < 0
             OR incoming < 0 OR reserved + quarantined > on_hand",
    );
    none(
        deployment,
        "movements after which less than nothing was there",
        "SELECT count(*) AS number FROM inventory.movements WHERE on_hand_after < 0 OR quarantined_after < 0
             OR quarantined_after > on_hand_after",
    );
    none(
        deployment,
        "days with more orders than the location ships",
        // Who claims a hold gets what is held, on whatever day.
        &format!(
            "SELECT count(*) AS number FROM (SELECT FROM inventory.location_loads l WHERE NOT EXISTS
                 (SELECT FROM inventory.reservations r WHERE r.order_id = l.order_id)
                 GROUP BY location, day HAVING count(*) > {}) AS overfull",
            ground.capacity
        ),
    );
}

/// Units by SKU, location and kind of movement.
type Moved = BTreeMap<(String, String, String), i64>;

/// What answers said has moved is what the ledger says has moved, by SKU, location and kind; and what is there is its sum.
fn every_unit_is_where_it_was_said_to_go(deployment: &Deployment, told: &Told) {
    let of = |(sku, place, kind, units): (&str, &str, &str, i64)| {
        ((sku.to_owned(), place.to_owned(), kind.to_owned()), units)
    };
    let said: Moved = told.sums().map(of).collect();
    let booked = moved(
        deployment,
        "SELECT sku, location, kind, sum(on_hand)::bigint AS units FROM inventory.movements GROUP BY 1, 2, 3
         HAVING sum(on_hand) <> 0",
    );
    let apart: Vec<_> = said.iter().filter(|(key, units)| booked.get(*key) != Some(*units)).collect();
    let more: Vec<_> = booked.iter().filter(|(key, units)| said.get(*key) != Some(*units)).collect();
    assert!(apart.is_empty() && more.is_empty(), "answers said {apart:?}, and the ledger says {more:?}");
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for ((sku, place, _), units) in &said {
        *sums.entry((sku, place)).or_default() += units;
    }
    let there = moved(deployment, "SELECT sku, location, '' AS kind, on_hand AS units FROM inventory.stock");
    for ((sku, place, _), units) in &there {
        let sum = sums.get(&(sku.as_str(), place.as_str())).copied().unwrap_or(0);
        assert_eq!(*units, sum, "units of {sku} at {place}, by the balance and by all answers");
    }
}

fn moved(deployment: &Deployment, sql: &str) -> Moved {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        sku: String,
        #[diesel(sql_type = Text)]
        location: String,
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = BigInt)]
        units: i64,
    }
    let mut connection = deployment.try_connect().expect("the database is there");
    let rows: Vec<Row> = diesel::sql_query(sql).load(&mut connection).expect("the ledger can be read");
    rows.into_iter().map(|row| ((row.sku, row.location, row.kind), row.units)).collect()
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
             on_hand - reserved - quarantined - owed - safety)), 0) FROM inventory.stock s WHERE s.sku = v.sku AND sells)",
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

/// What is left of every ring-fence can be sold by its channel, and not one unit more. All of it is still there where the
/// staff took nothing away; elsewhere as much as there is.
async fn what_is_kept_is_there(deployment: &Deployment, api: &Api, ground: Ground) {
    // No hold runs out while it is looked at.
    deployment.execute("UPDATE inventory.reservations SET expires_at = now() + interval '1 day' WHERE state = 'held'");
    for (channel, rule) in CHANNELS {
        let (Some("exclusive"), kept) = (rule, ground.value(channel)) else { continue };
        for number in 0..SKUS {
            let sku = sku(number);
            let left = kept - deployment.number(&used(channel, &sku));
            let there = deployment.number(&in_reach(channel, &sku));
            assert!(
                there >= left || !is_left_alone(number),
                "{left} of {sku} are kept for {channel}, {there} are there"
            );
            let may = left.min(there);
            let path = format!("/v1/availability/{sku}/waterfall?channel={channel}");
            until(&format!("{channel} may sell {may} of {sku}"), async || {
                let available = api.get(&path).await.ok()["available"].clone();
                if available == json!(may) { Ok(()) } else { Err(available) }
            })
            .await;
            let hold = |units: i64| json!({ "channel": channel, "lines": [{ "sku": sku, "quantity": units }], "ttl_seconds": 600 });
            api.post("/v1/reservations", &hold(may + 1)).await.status(409);
            if is_left_alone(number) && may > 0 {
                api.post("/v1/reservations", &hold(1)).await.status(201);
            }
        }
    }
}

/// What a channel has used of a SKU under its rule.
fn used(channel: &str, sku: &str) -> String {
    format!(
        "SELECT coalesce(sum(promised + shipped), 0)::bigint AS number FROM inventory.shares_used
         JOIN inventory.sharing_rules r USING (count_id) WHERE r.id = '{channel}' AND shares_used.sku = '{sku}'"
    )
}

/// What can be promised of a SKU where a channel may sell.
fn in_reach(channel: &str, sku: &str) -> String {
    format!(
        "SELECT coalesce(sum(greatest(0, on_hand - reserved - quarantined - owed - safety)), 0)::bigint AS number
         FROM inventory.stock s JOIN inventory.sharing_rules r ON r.id = '{channel}'
         WHERE s.sku = '{sku}' AND sells AND (r.locations IS NULL OR s.location = ANY (r.locations))"
    )
}
