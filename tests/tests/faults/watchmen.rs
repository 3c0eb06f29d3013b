//! The checks themselves: whatever is planted in the database, they see it.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::json;
use system_tests::checks::everything_adds_up;
use system_tests::shop::{NewOrder, places};
use system_tests::{Deployment, Topology};

use crate::SETTINGS;
use crate::load::{CHANNEL, open};

/// What is planted, and what puts it right again.
const PLANTED: [(&str, &str); 7] = [
    (
        "UPDATE inventory.stock SET on_hand = on_hand + 1 WHERE sku = 'RED' AND location = 'WH-SH'",
        "UPDATE inventory.stock SET on_hand = on_hand - 1 WHERE sku = 'RED' AND location = 'WH-SH'",
    ),
    (
        "UPDATE inventory.stock SET reserved = reserved + 1 WHERE sku = 'RED' AND location = 'WH-SH'",
        "UPDATE inventory.stock SET reserved = reserved - 1 WHERE sku = 'RED' AND location = 'WH-SH'",
    ),
    (
        "UPDATE inventory.reserved_lines SET quantity = quantity + 1; UPDATE inventory.stock SET reserved = reserved + 1 \
         WHERE sku = 'RED' AND location = 'WH-SH'",
        "UPDATE inventory.reserved_lines SET quantity = quantity - 1; UPDATE inventory.stock SET reserved = reserved - 1 \
         WHERE sku = 'RED' AND location = 'WH-SH'",
    ),
    (
        "UPDATE \"order\".order_lines SET quantity = quantity + 1 WHERE sku = 'RED'",
        "UPDATE \"order\".order_lines SET quantity = quantity - 1 WHERE sku = 'RED'",
    ),
    (
        "UPDATE member.ledger_balances SET balance = balance + 1 WHERE account = 'pending'",
        "UPDATE member.ledger_balances SET balance = balance - 1 WHERE account = 'pending'",
    ),
    (
        "UPDATE rebate.ledger_balances SET balance = balance + 1 WHERE account = 'accrued'",
        "UPDATE rebate.ledger_balances SET balance = balance - 1 WHERE account = 'accrued'",
    ),
    (
        "INSERT INTO rebate.dead_letters (subscription, event_id, kind, subject, event, reason, attempts, first_failed_at, \
         last_failed_at) VALUES ('orders', '018f0000-0000-7000-8000-000000000001', 'x', 'x', '{}', 'x', 1, now(), now())",
        "DELETE FROM rebate.dead_letters",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_see_what_is_wrong() {
    let deployment = Deployment::start(Topology::AllInOneOverRabbit, &SETTINGS).await;
    let shop = open(&deployment).await;
    let order = NewOrder::new(CHANNEL, "WATCHED", places::SHANGHAI)
        .line("RED", 1, 10_000)
        .phone("13800138000")
        .with("guide", json!("guide-li"));
    let order = shop.place(&order).await;
    shop.offer(&order, "WH-SH").await;
    everything_adds_up(&deployment, &shop.api).await;
    for (planted, mended) in PLANTED {
        deployment.execute(planted);
        let checked = AssertUnwindSafe(everything_adds_up(&deployment, &shop.api)).catch_unwind().await;
        assert!(checked.is_err(), "the checks overlook: {planted}");
        deployment.execute(mended);
    }
    everything_adds_up(&deployment, &shop.api).await;
}
