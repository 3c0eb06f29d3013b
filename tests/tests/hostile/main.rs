//! Hostile input: whatever is sent, it is refused with a problem that names what is wrong, and nothing has changed.

mod bodies;
mod callers;
mod tokens;

use std::sync::{Arc, Weak};

use serde_json::json;
use system_tests::checks::{everything_adds_up, settled};
use system_tests::shop::{NewOrder, Shop, places};
use system_tests::{Deployment, Topology};
use tokio::sync::Mutex;

/// The channel everything is sold in.
pub const CHANNEL: &str = "tmall";

/// One deployment for all tests here, for as long as one of them runs: none of them changes anything.
static SHARED: Mutex<Weak<Victim>> = Mutex::const_new(Weak::new());

/// What is attacked.
pub struct Victim {
    pub deployment: Deployment,
    /// An order of the channel, sourced to the warehouse.
    pub order: String,
    rows: i64,
}

/// The running deployment, or a new one.
pub async fn victim() -> (Arc<Victim>, Shop) {
    let mut shared = SHARED.lock().await;
    let running = shared.upgrade();
    let victim = match running {
        Some(victim) => victim,
        None => {
            let victim = Arc::new(Victim::start().await);
            *shared = Arc::downgrade(&victim);
            victim
        }
    };
    let shop = Shop::new(victim.deployment.administrator().await);
    (victim, shop)
}

impl Victim {
    async fn start() -> Self {
        let deployment = Deployment::start(Topology::Embedded, &[]).await;
        let shop = Shop::new(deployment.administrator().await);
        shop.channel(CHANNEL).await;
        shop.channel("wechat").await;
        shop.skus(&[("TEE", "tops")]).await;
        shop.locations(&[("WH-SH", "warehouse", places::SHANGHAI), ("ST-HZ", "store", places::HANGZHOU)]).await;
        settled(&deployment).await;
        shop.opening_stock(&[("TEE", "WH-SH", 10)]).await;
        for payee in ["guide-li", "guide-wu"] {
            shop.api.put(&format!("/v1/payees/{payee}"), &json!({ "name": payee, "kind": "guide" })).await.status(201);
        }
        let order = shop.place(&NewOrder::new(CHANNEL, "VICTIM", places::SHANGHAI).line("TEE", 1, 100)).await;
        shop.offer(&order, "WH-SH").await;
        for (id, permissions, scope) in callers::CLIENTS {
            callers::create(&shop, id, permissions, scope).await;
        }
        settled(&deployment).await;
        let rows = rows(&deployment);
        Self { deployment, order, rows }
    }

    /// Everything is as it was before.
    pub async fn is_unharmed(&self, shop: &Shop) {
        everything_adds_up(&self.deployment, &shop.api).await;
        assert_eq!(rows(&self.deployment), self.rows, "something was written");
    }
}

/// How many rows there are in all tables of all services that hold what users know.
fn rows(deployment: &Deployment) -> i64 {
    deployment.number(
        "SELECT sum((xpath('/row/n/text()', query_to_xml(
             format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename), false, true, '')))[1]::text::bigint)::bigint AS number
         FROM pg_tables
         WHERE schemaname IN ('gateway', 'product', 'inventory', 'order', 'member', 'rebate')
             AND tablename NOT IN ('outbox', 'inbox', 'changes')",
    )
}
