//! What must hold after any run, whatever was killed, cut or sent twice on the way.

use crate::api::Api;
use crate::deployment::{Deployment, ROLES};
use crate::queues::Queues;
use crate::wait::until;

/// Services whose books are double entry.
const LEDGERS: [&str; 2] = ["member", "rebate"];
/// The states an order ends in.
const FINAL: &str = "'completed', 'cancelled'";

/// Waits until every event has been sent and taken, then checks everything that must hold of the state.
pub async fn everything_adds_up(deployment: &Deployment, api: &Api) {
    settled(deployment).await;
    no_dead_letters(deployment);
    books_add_up(deployment, api).await;
}

/// [`everything_adds_up`], and no order is under way any more.
pub async fn everything_is_final(deployment: &Deployment, api: &Api) {
    let open = format!("SELECT count(*) AS number FROM \"order\".orders WHERE status NOT IN ({FINAL})");
    until("every order is completed or cancelled", async || match deployment.try_number(&open) {
        Some(0) => Ok(()),
        open => Err(format!("{open:?} are open")),
    })
    .await;
    everything_adds_up(deployment, api).await;
    assert_eq!(deployment.number("SELECT coalesce(sum(reserved), 0)::bigint AS number FROM inventory.stock"), 0);
    assert_eq!(deployment.number("SELECT count(*) AS number FROM inventory.backorders"), 0);
    assert_eq!(deployment.number("SELECT count(*) AS number FROM \"order\".completions"), 0);
}

/// Waits until nothing is under way: every outbox is empty, every queue is read, and no failed event is to be retried.
pub async fn settled(deployment: &Deployment) {
    let mut queues = None;
    let mut earlier = None;
    until("every event is sent and taken", async || {
        let now = quiet(deployment)?;
        if let Some(backing) = deployment.backing() {
            if queues.is_none() {
                queues = Queues::connect(&backing.amqp, &backing.amqp_admin).await;
            }
            let waiting = match &queues {
                Some(queues) => queues.waiting().await,
                None => None,
            };
            if waiting != Some(0) {
                queues = queues.take().filter(|_| waiting.is_some());
                return Err(format!("messages in the queues: {waiting:?}"));
            }
        }
        // What was taken between two looks may have told something new.
        let still = quiet(deployment)? == now && earlier == Some(now);
        earlier = Some(now);
        if still { Ok(()) } else { Err(format!("{now} events were taken")) }
    })
    .await;
}

/// Waits until these services have nothing left to send; what they told may still wait in queues.
pub async fn all_sent(deployment: &Deployment, services: &[&str]) {
    for service in services {
        let unsent = format!("SELECT count(*) AS number FROM \"{service}\".outbox");
        until(&format!("{service} has sent everything"), async || match deployment.try_number(&unsent) {
            Some(0) => Ok(()),
            unsent => Err(format!("{unsent:?} messages are left")),
        })
        .await;
    }
}

/// How many events were taken so far, unless some are under way.
pub fn quiet(deployment: &Deployment) -> Result<i64, String> {
    let of = |sql: &str| deployment.try_number(sql).ok_or_else(|| "the database is away".to_owned());
    let unsent = of(&union("SELECT count(*) AS n FROM {}.outbox"))?;
    let failed = of(&union("SELECT count(next_attempt_at) AS n FROM {}.dead_letters"))?;
    let working = of("SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'")?;
    let unfolded = of("SELECT (SELECT count(*) FROM \"order\".order_moves)
        + (SELECT count(*) FROM \"order\".fulfilment_count_steps) AS number")?;
    let taken = of(&union("SELECT count(*) AS n FROM {}.inbox"))?;
    if unsent + failed + working + unfolded == 0 {
        return Ok(taken);
    }
    Err(format!(
        "{unsent} unsent messages, {failed} events to be tried again, {working} busy connections, {unfolded} changes not \
         added up"
    ))
}

/// The sum over all services of what the query says of one schema.
fn union(query: &str) -> String {
    let parts: Vec<String> = ROLES.iter().map(|role| query.replace("{}", &format!("\"{role}\""))).collect();
    format!("SELECT sum(n)::bigint AS number FROM ({}) AS all_services", parts.join(" UNION ALL "))
}

/// No event was given up on.
pub fn no_dead_letters(deployment: &Deployment) {
    let letters = deployment.number(&union("SELECT count(*) AS n FROM {}.dead_letters"));
    assert_eq!(letters, 0, "events are parked:\n{}", deployment.command(&["dead-letters", "list"]));
}

/// Stock, orders, points and rebates agree with themselves and with each other.
async fn books_add_up(deployment: &Deployment, api: &Api) {
    let proof = api.get("/v1/stock/proof").await.ok();
    assert_eq!(proof["drift"], serde_json::json!([]), "stock has drifted: {proof}");
    assert!(proof["next_cursor"].is_null(), "all stock is proved in one answer: {proof}");
    let proof = api.get("/v1/points/proof").await.ok();
    assert_eq!(proof["drift"], serde_json::json!([]), "points have drifted: {proof}");
    stock_adds_up(deployment);
    allocations_add_up(deployment);
    for schema in LEDGERS {
        ledger_adds_up(deployment, schema);
    }
    let trial = api.get("/v1/rebate/trial-balance").await.ok();
    assert_eq!(trial["balanced"], true, "the rebate ledger is out of balance: {trial}");
}

/// On hand is the sum of the movements, reserved the sum of what orders and holds have: found here without the proof.
fn stock_adds_up(deployment: &Deployment) {
    none(
        deployment,
        "balances that are not the sum of their movements",
        "SELECT count(*) AS number FROM inventory.stock FULL JOIN (
             SELECT sku, location, sum(on_hand) AS moved, sum(quarantined) AS apart FROM inventory.movements GROUP BY 1, 2
         ) AS moved USING (sku, location)
         WHERE coalesce(on_hand, 0) <> coalesce(moved, 0) OR coalesce(quarantined, 0) <> coalesce(apart, 0)",
    );
    none(
        deployment,
        "balances that promise something else than their reserved lines",
        "SELECT count(*) AS number FROM inventory.stock FULL JOIN (
             SELECT sku, location, sum(quantity) AS held FROM inventory.reserved_lines GROUP BY 1, 2
         ) AS held USING (sku, location)
         WHERE coalesce(reserved, 0) <> coalesce(held, 0)",
    );
}

/// What fulfilment orders took on, what was cancelled and what still waits is what was ordered, line by line; and what
/// they have not shipped yet is what inventory keeps for the order.
fn allocations_add_up(deployment: &Deployment) {
    const LIVE: &str =
        "'waiting', 'offered', 'accepted', 'picked', 'packed', 'shipped', 'delivered', 'ready', 'collected'";
    const OPEN: &str = "'waiting', 'offered', 'accepted', 'picked', 'packed', 'ready'";
    let taken_on = |states: &str| {
        format!(
            "SELECT order_id, (line->>'line_no')::int AS line_no, sum((line->>'quantity')::bigint) AS units
             FROM \"order\".fulfilments CROSS JOIN json_array_elements(lines::json) AS line
             WHERE status IN ({states}) GROUP BY 1, 2"
        )
    };
    none(
        deployment,
        "lines of which more or less is allocated than was ordered",
        &format!(
            "SELECT count(*) AS number FROM \"order\".order_lines JOIN \"order\".orders USING (order_id)
             LEFT JOIN ({}) AS taken USING (order_id, line_no)
             WHERE components IS NULL AND status IN ('sourced', 'fulfilling', 'shipped', 'delivered', 'completed', 'cancelled')
                 AND NOT backordered AND coalesce(units, 0) + cancelled <> quantity",
            taken_on(LIVE)
        ),
    );
    none(
        deployment,
        "lines for which inventory keeps something else than fulfilment orders wait for",
        &format!(
            "SELECT count(*) AS number FROM (
                 SELECT owner AS order_id, line_no, sum(quantity) AS kept FROM inventory.reserved_lines
                 WHERE owner NOT IN (SELECT id FROM inventory.reservations WHERE state = 'held'
                     UNION ALL SELECT id FROM inventory.deliveries) GROUP BY 1, 2
             ) AS kept FULL JOIN ({}) AS taken USING (order_id, line_no)
             WHERE coalesce(kept, 0) <> coalesce(units, 0)",
            taken_on(OPEN)
        ),
    );
    none(
        deployment,
        "orders of which more units shipped than left the shelves",
        "SELECT count(*) AS number FROM (
             SELECT sum(-on_hand) AS moved FROM inventory.movements WHERE kind = 'shipment'
         ) AS movements, (
             SELECT sum((line->>'quantity')::bigint) AS shipped
             FROM \"order\".fulfilments CROSS JOIN json_array_elements(lines::json) AS line
             WHERE status IN ('shipped', 'delivered', 'collected')
         ) AS orders WHERE coalesce(moved, 0) <> coalesce(shipped, 0)",
    );
}

/// Every unit that left an account came to another, and every balance is the sum of its transfers.
fn ledger_adds_up(deployment: &Deployment, schema: &str) {
    none(
        deployment,
        "units that came from nowhere",
        &format!("SELECT coalesce(sum(balance), 0)::bigint AS number FROM {schema}.ledger_balances"),
    );
    none(
        deployment,
        "accounts that are not the sum of their transfers",
        &format!(
            "SELECT count(*) AS number FROM {schema}.ledger_balances FULL JOIN (
                 SELECT owner, account, unit, sum(amount) AS moved FROM (
                     SELECT credit_owner AS owner, credit_account AS account, unit, amount FROM {schema}.ledger_transfers
                     UNION ALL
                     SELECT debit_owner, debit_account, unit, -amount FROM {schema}.ledger_transfers
                 ) AS sides GROUP BY 1, 2, 3
             ) AS moved USING (owner, account, unit)
             WHERE coalesce(balance, 0) <> coalesce(moved, 0)"
        ),
    );
}

/// Nothing of what `sql` counts as `number` is there.
pub fn none(deployment: &Deployment, what: &str, sql: &str) {
    let found = deployment.number(sql);
    assert_eq!(found, 0, "{found} {what}");
}
