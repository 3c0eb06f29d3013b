//! What a broker of its own adds: links that break, brokers that are away, queues that are full or gone, and replicas.

use std::sync::Arc;

use lapin::options::QueueDeleteOptions;
use testkit::{FaultProxy, eventually};

use crate::world::{Gate, Process, Rule, Way, World, noted, numbers, takes_all};

/// A world whose way to the broker the test breaks.
async fn behind_a_proxy() -> (World, FaultProxy) {
    let mut world = World::new(Way::RabbitMq).await;
    let proxy = FaultProxy::to(&world.broker().url()).await;
    world.settings.url = proxy.url().into();
    (world, proxy)
}

async fn tell_numbers(world: &World, numbers: std::ops::Range<i64>) {
    for number in numbers {
        world.tell(vec![noted("a", number)]).await;
    }
}

async fn everyone_heard(world: &World, count: i64) {
    for subscription in ["left", "right"] {
        let heard = world.heard_all(subscription, usize::try_from(count).unwrap()).await;
        assert_eq!(numbers(&heard, "a"), (0..count).collect::<Vec<_>>());
    }
    world.outbox_is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_to_the_broker_loses_nothing() {
    let (world, proxy) = behind_a_proxy().await;
    let process = world.start(&takes_all());
    for part in 0..5 {
        tell_numbers(&world, part * 100..(part + 1) * 100).await;
        proxy.cut();
    }
    everyone_heard(&world, 500).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_for_a_while_is_waited_for() {
    let (world, proxy) = behind_a_proxy().await;
    proxy.refuse();
    let process = world.start(&takes_all());
    tell_numbers(&world, 0..50).await;
    assert!(process.bus.transport().check().await.is_err());
    proxy.resume();
    everyone_heard(&world, 50).await;
    process.bus.transport().check().await.unwrap();
    proxy.refuse();
    tell_numbers(&world, 50..100).await;
    proxy.resume();
    everyone_heard(&world, 100).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_hangs_is_given_up_and_loses_nothing() {
    let (world, proxy) = behind_a_proxy().await;
    let process = world.start(&takes_all());
    tell_numbers(&world, 0..50).await;
    everyone_heard(&world, 50).await;
    proxy.hang();
    tell_numbers(&world, 50..100).await;
    eventually("the hung link is given up", async || process.bus.transport().check().await.is_err().then_some(()))
        .await;
    proxy.resume();
    everyone_heard(&world, 100).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_the_outbox_keeps_what_it_refused() {
    let mut world = World::new(Way::RabbitMq).await;
    world.settings.max_queue_messages = 3;
    world.settings.prefetch = 1;
    let gate = Gate::default();
    let before = gate.keeper();
    let slow: Rule = Arc::new(move |subscription, _| {
        if subscription == "left" {
            before.pass();
        }
        Ok(())
    });
    let process = world.start(&slow);
    // A message carries up to 500 events, and the broker lets some more in before it notices that the queue is full.
    tell_numbers(&world, 0..6_000).await;
    gate.reached().await;
    let backlog = world.teller.read("backlog", store::outbox::backlog).await.unwrap();
    assert!(backlog.rows > 1_000, "the outbox keeps what the queue has no room for, but holds {}", backlog.rows);
    gate.open();
    let mut heard = numbers(&world.heard_all("left", 6_000).await, "a");
    heard.sort_unstable();
    assert_eq!(heard, (0..6_000).collect::<Vec<_>>());
    world.outbox_is_empty().await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_were_removed_are_made_again() {
    let world = World::new(Way::RabbitMq).await;
    let process = world.start(&takes_all());
    tell_numbers(&world, 0..1).await;
    everyone_heard(&world, 1).await;
    let operator =
        lapin::Connection::connect(&world.broker().url(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = operator.create_channel().await.unwrap();
    for queue in ["onepool.hearer.left", "onepool.hearer.right"] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    // Until both are there again an event may reach one and not the other: that one it was taken from for good.
    eventually("both queues are there again", async || {
        let queues = world.broker().list("queues");
        (queues.as_array()?.iter().filter(|queue| queue["consumers"] == 1).count() == 2).then_some(())
    })
    .await;
    tell_numbers(&world, 1..50).await;
    everyone_heard(&world, 50).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_work_without_doing_it_twice_and_take_over_from_one_that_crashes() {
    let mut world = World::new(Way::RabbitMq).await;
    world.partitions = 2;
    let mut replicas: Vec<Process> = (0..3).map(|_| world.start(&takes_all())).collect();
    for part in 0..3 {
        tell_numbers(&world, part * 100..(part + 1) * 100).await;
        if let Some(leader) = (replicas.len() > 1).then(|| replicas.remove(0)) {
            leader.crash().await;
        }
    }
    everyone_heard(&world, 300).await;
    replicas.remove(0).stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_bounds_is_kept() {
    let mut world = World::new(Way::RabbitMq).await;
    let process = world.start(&takes_all());
    tell_numbers(&world, 0..10).await;
    everyone_heard(&world, 10).await;
    process.stop().await;
    world.settings.max_queue_messages = 77;
    let process = world.start(&takes_all());
    tell_numbers(&world, 10..20).await;
    everyone_heard(&world, 20).await;
    process.stop().await;
}
