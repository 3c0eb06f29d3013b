//! One order's trace, from the request over outbox and broker to every service that has to do with it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use system_tests::checks::settled;
use system_tests::shop::{NewOrder, Shop, places, text};
use system_tests::{Deployment, Topology, until};
use testkit::{CollectedSpan, Collector};

use crate::CHANNEL;

/// The caller's own trace, and its span that the request belongs to.
const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const CALLER: &str = "eee19b7ec3c1b174";

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_trace_leads_through_every_service() {
    let collector = Collector::start();
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    let deployment = Deployment::start(Topology::ProcessPerRole, &[&endpoint, "telemetry.sample_ratio=1"]).await;
    let shop = Shop::new(deployment.administrator().await);
    shop.channel(CHANNEL).await;
    shop.skus(&[("TEE", "tops")]).await;
    shop.locations(&[("WH-SH", "warehouse", places::SHANGHAI)]).await;
    settled(&deployment).await;
    shop.opening_stock(&[("TEE", "WH-SH", 5)]).await;

    let order = NewOrder::new(CHANNEL, "T-1", places::SHANGHAI).line("TEE", 1, 9_900).phone("13800138000");
    let traceparent = ("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    let headers = [(traceparent.0, traceparent.1.as_str()), ("idempotency-key", "traced")];
    let id = text(&shop.api.send(Method::POST, "/v1/orders", order.body(), &headers).await.status(201)["id"]);

    // The order service is asked, and hears from the inventory and of the buyer; the rebate service hears both.
    let awaited = [
        ("order", "POST /v1/orders"),
        ("inventory", "handle order.placed"),
        ("member", "handle order.placed"),
        ("rebate", "handle order.placed"),
        ("order", "handle stock.sourced"),
        ("order", "handle buyer.identified"),
        ("rebate", "handle buyer.identified"),
    ];
    let spans = until("the trace of the order leads through every service", async || {
        let spans = collector.trace(TRACE);
        let seen: BTreeSet<(&str, &str)> =
            spans.iter().map(|span| (span.service.as_str(), span.name.as_str())).collect();
        // What a process did is sent in parts, and a span may come before its parent.
        let whole = awaited.iter().all(|span| seen.contains(span)) && orphans(&spans).is_empty();
        if whole { Ok(spans) } else { Err(format!("{} without {:?}", json!(seen), orphans(&spans))) }
    })
    .await;
    let request = spans.iter().find(|span| span.name == "POST /v1/orders").expect("it was awaited");
    assert_eq!(request.parent, CALLER);
    let sourcing = spans.iter().find(|span| span.service == "inventory").expect("it was awaited");
    assert_eq!(sourcing.attributes["event.subject"], id);
}

/// Spans whose parent is neither in the trace nor the caller's.
fn orphans(spans: &[CollectedSpan]) -> Vec<&CollectedSpan> {
    let known: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).chain([CALLER]).collect();
    spans.iter().filter(|span| !known.contains(span.parent.as_str())).collect()
}
