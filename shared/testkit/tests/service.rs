//! A service in a test answers, hears and works as it would in the product.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bus::{ConsumeError, Subscription};
use contracts::Payload;
use contracts::events::OrderCompleted;
use kernel::Clock;
use kernel::id::OrderId;
use runtime::settings::Faults;
use service::{Descriptor, Job, Platform, Progress, Service};
use store::Tx;
use testkit::{TestService, told};

const SMALL: Descriptor = Descriptor {
    name: "small",
    defaults: "[small]\n",
    migrations: &[&store::MIGRATIONS],
    hears: &[],
    check: |_| Ok(()),
    build,
};

/// Tells what it hears again, parks a second telling, and has a job of three steps.
fn build(_: &Platform) -> Result<Service, Faults> {
    let heard = AtomicU8::new(0);
    let handle = move |tx: &mut Tx<'_>, _: &str, events: &[contracts::Event]| {
        for event in events {
            store::outbox::append(tx, &event.payload::<OrderCompleted>()?, &event.as_cause())?;
        }
        let first = heard.fetch_add(1, Ordering::Relaxed) == 0;
        if first { Ok(()) } else { Err(ConsumeError::Park("heard before".to_owned())) }
    };
    let steps = AtomicU8::new(0);
    let step = move |_: &mut Tx<'_>| {
        Ok(if steps.fetch_add(1, Ordering::Relaxed) % 3 == 2 { Progress::Done } else { Progress::More })
    };
    let orders = Subscription {
        name: "orders",
        events: &[OrderCompleted::KIND],
        partitions: 1,
        gives_way: false,
        handle: Arc::new(handle),
    };
    Ok(Service {
        name: "small",
        routes: Vec::new(),
        openapi: utoipa::openapi::OpenApi::default(),
        consumers: vec![orders],
        jobs: vec![Job::new("sweep", Duration::from_secs(60), step)],
    })
}

#[tokio::test]
async fn it_answers_over_http() {
    let small = TestService::new(&SMALL).await;
    assert_eq!(small.get("/livez").await.status, 200);
    let missing = small.get("/v1/nothing").await;
    assert_eq!((missing.status, missing.body["code"].as_str()), (404, Some("not_found")));
    assert_eq!(missing.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn what_a_handler_refuses_leaves_nothing_behind() {
    let small = TestService::new(&SMALL).await;
    let now = small.test.clock.now();
    let completed = [OrderCompleted { order_id: OrderId::at(now), completed_at: now }];
    small.hear(&completed).await.unwrap();
    assert!(matches!(small.hear(&completed).await, Err(ConsumeError::Park(_))));
    let told: Vec<OrderCompleted> = told(&small.test.store).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].order_id, completed[0].order_id);
}

#[tokio::test]
async fn a_job_runs_until_it_is_done() {
    let small = TestService::new(&SMALL).await;
    small.run_job("sweep").await;
    small.run_job("sweep").await;
}
