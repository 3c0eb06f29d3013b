//! Links that are cut, that hang, that are refused; and servers that crash under a running system.

use system_tests::servers::Servers;
use system_tests::{Backing, Deployment, FaultProxy, Topology};

use crate::SETTINGS;
use crate::load::{Load, open, the_books_say};

#[tokio::test(flavor = "multi_thread")]
async fn links_to_every_server_break_under_load() {
    let mut backing = Backing::of_this_run();
    let database = backing.postgres.clone();
    let to_postgres = FaultProxy::to(&backing.postgres).await;
    let to_rabbitmq = FaultProxy::to(&backing.amqp).await;
    let to_redis = FaultProxy::to(&backing.redis).await;
    to_postgres.url().clone_into(&mut backing.postgres);
    to_rabbitmq.url().clone_into(&mut backing.amqp);
    to_redis.url().clone_into(&mut backing.redis);
    let deployment =
        Deployment::start_on(Topology::AllInOneOverRabbit, &SETTINGS, Some(backing), Some(&database)).await;
    let shop = open(&deployment).await;
    let load = Load::start(&shop, 16);
    load.reaches(4).await;
    to_postgres.cut();
    load.reaches(12).await;
    to_rabbitmq.cut();
    load.reaches(20).await;
    // A cache that takes a request and never answers costs its time-out, nothing else.
    to_redis.hang();
    load.reaches(28).await;
    to_redis.resume();
    to_redis.cut();
    // Without a broker orders are still taken: what they tell waits in the outbox.
    to_rabbitmq.refuse();
    let waiting = "SELECT count(*) AS number FROM \"order\".outbox WHERE kind = 'order.placed'";
    system_tests::until("orders are taken without a broker", async || match deployment.number(waiting) {
        0 => Err("none is"),
        _ => Ok(()),
    })
    .await;
    to_rabbitmq.resume();
    load.reaches(40).await;
    to_postgres.refuse();
    to_rabbitmq.cut();
    to_postgres.resume();
    let sales = load.ends().await;
    the_books_say(&deployment, &shop, sales).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_crashes_under_load() {
    let mut servers = Servers::start();
    let deployment = Deployment::start_on(
        Topology::AllInOneOverRabbit,
        &SETTINGS,
        Some(Backing::of(&servers)),
        Some(&servers.postgres),
    )
    .await;
    let shop = open(&deployment).await;
    let load = Load::start(&shop, 12);
    load.reaches(6).await;
    servers.restart_redis().await;
    load.reaches(14).await;
    servers.restart_postgres().await;
    load.reaches(26).await;
    servers.restart_rabbitmq().await;
    let sales = load.ends().await;
    the_books_say(&deployment, &shop, sales).await;
}
