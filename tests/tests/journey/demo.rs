//! The demo shows what everyone earns on its orders, however often it is loaded, and a chain whose stock can be moved.

use serde_json::{Value, json};
use system_tests::checks::settled;
use system_tests::shop::{text, yuan};
use system_tests::{Api, Deployment, Topology};

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
    the_tour_is_true(&api).await;
}

fn number(order: &Value) -> String {
    text(&order["channel_order_no"])
}

/// What `docs/demo.md` promises.
async fn the_tour_is_true(api: &Api) {
    for (channel, units) in [("live", 200), ("tmall", 1_723), ("mini-program", 1_733)] {
        let path = format!("/v1/availability/SNEAKER-42/waterfall?channel={channel}");
        assert_eq!(api.get(&path).await.ok()["available"], units, "{channel}");
    }
    let suzhou = json!({ "type": "ship", "ship_to": { "country": "CN", "city": "苏州", "latitude": 31.30, "longitude": 120.62 } });
    let pair = json!({ "channel": "tmall", "fulfilment": suzhou, "lines": [{ "sku": "SNEAKER-42", "quantity": 1 }] });
    let planned = async || api.post("/v1/sourcing/plans", &pair).await.ok()["winners"].clone();
    assert_eq!(planned().await, json!(["WX-ZHONGSHAN"]));
    let wanted = json!({ "from": "WH-JIAXING", "to": "SZ-GUANQIAN", "reason": "demand",
        "lines": [{ "sku": "SNEAKER-42", "quantity": 3 }] });
    let transfer = text(&api.post("/v1/transfers", &wanted).await.status(201)["id"]);
    api.post(&format!("/v1/transfers/{transfer}/ship"), &json!({})).await.ok();
    let received = json!({ "lines": [{ "sku": "SNEAKER-42", "received": 3 }] });
    api.post(&format!("/v1/transfers/{transfer}/receive"), &received).await.ok();
    assert_eq!(planned().await, json!(["SZ-GUANQIAN"]));
    let ruleset: Value =
        serde_json::from_str(include_str!("../../../services/inventory/rulesets/warehouse-first.json"))
            .expect("the example is JSON");
    let version = api.post("/v1/sourcing/rulesets", &ruleset).await.status(201)["version"].clone();
    assert_eq!(version, 2);
    api.post("/v1/sourcing/rulesets/2/activate", &json!({})).await.ok();
    assert_eq!(planned().await, json!(["WH-JIAXING"]));
    let proof = api.get("/v1/stock/proof").await.ok();
    assert_eq!(proof["drift"], json!([]), "{proof}");
}
