//! The demo shows what everyone earns on its orders, however often it is loaded.

use serde_json::Value;
use system_tests::checks::settled;
use system_tests::shop::{text, yuan};
use system_tests::{Deployment, Topology};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_accruals_however_often_it_is_loaded() {
    let deployment = Deployment::start(Topology::AllInOneOverRabbit, &[]).await;
    let api = deployment.administrator().await;
    let load = || deployment.command(&["demo", "--url", api.host("gateway")]);
    assert!(load().contains("loaded the demo data"));
    assert!(load().contains("the demo data is there already"));
    settled(&deployment).await;

    // 497.00, 199.00 and 459.00 were paid. The guide has 3 %: 14.91 + 5.97 + 13.77 = 34.65. The store has 1.5 %: 7.455,
    // 2.985 and 6.885 are rounded to 7.46, 2.99 and 6.89 (half up). The dealer has 2 %: 9.94 + 3.98 + 9.18 = 23.10.
    for (payee, accrued) in [("guide-wang", 3_465), ("store-sh", 1_734), ("dealer-east", 2_310)] {
        let balances = api.get(&format!("/v1/rebate/balances?payee={payee}")).await.ok();
        assert_eq!(balances["items"][0]["accrued"], yuan(accrued), "{payee}: {balances}");
    }
    let orders = api.get("/v1/orders?channel=tmall").await.ok();
    let numbers: Vec<String> = orders["items"].as_array().into_iter().flatten().map(number).collect();
    assert_eq!(numbers.len(), 2, "{numbers:?}");
    api.get("/v1/clients/demo-checker").await.problem(404, "not_found");
}

fn number(order: &Value) -> String {
    text(&order["channel_order_no"])
}
