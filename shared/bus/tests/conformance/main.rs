//! What every transport promises, shown on each: the same scenarios over RabbitMQ and in process.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod faults;
mod world;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::ConsumeError;
use bus::transport::Message;
use contracts::Payload as _;
use kernel::PageRequest;
use store::dead_letters;
use testkit::{FaultProxy, eventually, outbox_events};
use world::{Amended, Gate, Noted, Rule, Way, Whispered, World, noted, numbers, takes_all};

/// Every scenario, as a test on each transport.
macro_rules! on_each_transport {
    ($($scenario:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() { super::$scenario(super::Way::Embedded).await; })+
        }
        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() { super::$scenario(super::Way::RabbitMq).await; })+
        }
    };
}

on_each_transport!(
    everything_told_is_heard_by_everyone_once,
    a_batch_that_a_crash_interrupted_is_delivered_again,
    a_stop_finishes_what_was_begun_and_the_next_start_goes_on,
    the_events_of_one_subject_stay_in_order,
    the_events_of_one_subject_stay_in_order_over_several_queues,
    a_poisoned_event_is_parked_and_its_neighbours_go_on,
    a_handler_that_panics_blocks_nothing,
    an_event_that_comes_too_early_is_tried_again_until_it_succeeds,
    an_event_that_never_succeeds_is_parked_after_its_last_try_and_can_be_replayed,
    a_slow_consumer_does_not_hold_up_the_others,
    who_gives_way_waits_for_a_full_batch_of_another_but_not_for_ever,
    an_event_delivered_twice_has_one_effect,
    a_kind_that_nobody_hears_does_not_block,
    what_is_no_event_is_parked,
    a_cut_link_to_the_database_loses_nothing,
);

async fn everything_told_is_heard_by_everyone_once(way: Way) {
    let world = World::new(way).await;
    let process = world.start(&takes_all());
    for transaction in 0..100 {
        world.tell((0..20).map(|event| noted(&format!("subject {event}"), transaction * 20 + event)).collect()).await;
    }
    for subscription in ["left", "right"] {
        let heard = world.heard_all(subscription, 2_000).await;
        let distinct: HashSet<i64> = heard.iter().map(|(_, number)| *number).collect();
        assert_eq!((heard.len(), distinct.len()), (2_000, 2_000));
    }
    world.outbox_is_empty().await;
    process.stop().await;
}

async fn a_batch_that_a_crash_interrupted_is_delivered_again(way: Way) {
    let world = World::new(way).await;
    let gate = Gate::default();
    let (before, crashed) = (gate.keeper(), Arc::new(AtomicBool::new(false)));
    let interrupted: Rule = Arc::new(move |_, note| {
        if note.number == 5 && !crashed.swap(true, Ordering::SeqCst) {
            before.pass();
            // The connection of a process that crashed takes its transaction with it.
            return Err(ConsumeError::Store(store::Error::Unavailable("crashed".to_owned())));
        }
        Ok(())
    });
    let process = world.start(&interrupted);
    world.tell((0..10).map(|number| noted(&format!("subject {number}"), number)).collect()).await;
    gate.reached().await;
    process.crash().await;
    gate.open();
    let process = world.start(&takes_all());
    for subscription in ["left", "right"] {
        let mut heard: Vec<i64> = world.heard_all(subscription, 10).await.iter().map(|(_, number)| *number).collect();
        heard.sort_unstable();
        assert_eq!(heard, (0..10).collect::<Vec<_>>());
    }
    process.stop().await;
}

async fn a_stop_finishes_what_was_begun_and_the_next_start_goes_on(way: Way) {
    let world = World::new(way).await;
    let process = world.start(&takes_all());
    for number in 0..50 {
        world.tell(vec![noted("a", number)]).await;
    }
    process.stop().await;
    for number in 50..100 {
        world.tell(vec![noted("a", number)]).await;
    }
    let process = world.start(&takes_all());
    for subscription in ["left", "right"] {
        assert_eq!(numbers(&world.heard_all(subscription, 100).await, "a"), (0..100).collect::<Vec<_>>());
    }
    process.stop().await;
}

async fn the_events_of_one_subject_stay_in_order(way: Way) {
    in_order_over(way, 1).await;
}

async fn the_events_of_one_subject_stay_in_order_over_several_queues(way: Way) {
    in_order_over(way, 4).await;
}

async fn in_order_over(way: Way, partitions: u16) {
    let mut world = World::new(way).await;
    world.partitions = partitions;
    let process = world.start(&takes_all());
    let subjects: Vec<String> = (0..20).map(|subject| format!("subject {subject}")).collect();
    for round in 0..30 {
        world.tell(subjects.iter().map(|subject| noted(subject, 3 * round)).collect()).await;
        world.tell(subjects.iter().map(|subject| Amended(noted(subject, 3 * round + 1))).collect()).await;
        world.tell(subjects.iter().map(|subject| noted(subject, 3 * round + 2)).collect()).await;
    }
    let heard = world.heard_all("left", 20 * 90).await;
    for subject in &subjects {
        assert_eq!(numbers(&heard, subject), (0..90).collect::<Vec<_>>());
    }
    process.stop().await;
}

async fn a_poisoned_event_is_parked_and_its_neighbours_go_on(way: Way) {
    let world = World::new(way).await;
    let poisoned: Rule = Arc::new(|subscription, note| match (subscription, note.number) {
        ("left", 13) => Err(ConsumeError::Park("unlucky".to_owned())),
        _ => Ok(()),
    });
    let process = world.start(&poisoned);
    world.tell((0..100).map(|number| noted(&format!("subject {}", number % 10), number)).collect()).await;
    let heard = world.heard_all("left", 99).await;
    assert_eq!(numbers(&heard, "subject 3"), [3, 23, 33, 43, 53, 63, 73, 83, 93]);
    assert_eq!(numbers(&heard, "subject 4"), [4, 14, 24, 34, 44, 54, 64, 74, 84, 94]);
    assert_eq!(world.heard_all("right", 100).await.len(), 100);
    world.dead_letters(0, 1).await;
    let listed = world.hearer.store.read("list", |tx| dead_letters::list(tx, true, &PageRequest::default()));
    let listed = listed.await.map_err(|error: dead_letters::ListError| error.to_string()).unwrap();
    assert_eq!((listed.items[0].subscription.as_str(), listed.items[0].reason.as_str()), ("left", "parked: unlucky"));
    assert_eq!(listed.items[0].subject, "subject 3");
    process.stop().await;
}

async fn a_handler_that_panics_blocks_nothing(way: Way) {
    let world = World::new(way).await;
    let panics: Rule = Arc::new(|subscription, note| {
        assert!(!(subscription == "left" && note.number == 1), "a bug in a handler");
        Ok(())
    });
    let process = world.start(&panics);
    world.tell((0..3).map(|number| noted("a", number)).collect()).await;
    assert_eq!(numbers(&world.heard_all("left", 2).await, "a"), [0, 2]);
    world.dead_letters(0, 1).await;
    process.stop().await;
}

async fn an_event_that_comes_too_early_is_tried_again_until_it_succeeds(way: Way) {
    let world = World::new(way).await;
    let arrived = Arc::new(AtomicBool::new(false));
    let fact = arrived.clone();
    let needs_a_fact: Rule = Arc::new(move |subscription, note| {
        if subscription == "left" && note.subject == "early" && !fact.load(Ordering::SeqCst) {
            return Err(ConsumeError::Retry("its fact has not arrived".to_owned()));
        }
        Ok(())
    });
    let process = world.start(&needs_a_fact);
    world.tell(vec![noted("early", 1), noted("other", 2)]).await;
    assert_eq!(world.heard_all("left", 1).await, [("other".to_owned(), 2)]);
    world.dead_letters(1, 0).await;
    arrived.store(true, Ordering::SeqCst);
    world.hearer.clock.advance(Duration::from_secs(1));
    assert_eq!(numbers(&world.heard_all("left", 2).await, "early"), [1]);
    world.dead_letters(0, 0).await;
    process.stop().await;
}

async fn an_event_that_never_succeeds_is_parked_after_its_last_try_and_can_be_replayed(way: Way) {
    let world = World::new(way).await;
    let mended = Arc::new(AtomicBool::new(false));
    let works = mended.clone();
    let fails: Rule = Arc::new(move |subscription, _| match (subscription, works.load(Ordering::SeqCst)) {
        ("left", false) => Err(ConsumeError::Retry("not yet".to_owned())),
        _ => Ok(()),
    });
    let process = world.start(&fails);
    world.tell(vec![noted("a", 1)]).await;
    world.dead_letters(1, 0).await;
    // Three tries in all: the second within 1 s, the third within 2 s after that.
    for _ in 0..2 {
        world.hearer.clock.advance(Duration::from_secs(2));
        let tried = world.hearer.clock.clone();
        eventually("it was tried again", async || {
            let sql =
                "SELECT (extract(epoch FROM max(last_failed_at)) * 1000000)::bigint AS number FROM hearer.dead_letters";
            (world.hearer.database.number(sql) == kernel::Clock::now(&*tried).unix_micros()).then_some(())
        })
        .await;
    }
    world.dead_letters(0, 1).await;
    mended.store(true, Ordering::SeqCst);
    let id = world.hearer.database.number("SELECT id AS number FROM hearer.dead_letters");
    let replayed = world.hearer.store.transact("replay", move |tx| dead_letters::replay(tx, id)).await;
    assert!(replayed.unwrap());
    assert_eq!(world.heard_all("left", 1).await, [("a".to_owned(), 1)]);
    world.dead_letters(0, 0).await;
    process.stop().await;
}

async fn a_slow_consumer_does_not_hold_up_the_others(way: Way) {
    let world = World::new(way).await;
    let gate = Gate::default();
    let before = gate.keeper();
    let slow: Rule = Arc::new(move |subscription, _| {
        if subscription == "left" {
            before.pass();
        }
        Ok(())
    });
    let process = world.start(&slow);
    for number in 0..1_000 {
        world.tell(vec![noted("a", number)]).await;
    }
    assert_eq!(world.heard_all("right", 1_000).await.len(), 1_000);
    assert_eq!(world.heard("left").await, []);
    gate.open();
    assert_eq!(numbers(&world.heard_all("left", 1_000).await, "a"), (0..1_000).collect::<Vec<_>>());
    process.stop().await;
}

async fn who_gives_way_waits_for_a_full_batch_of_another_but_not_for_ever(way: Way) {
    let mut world = World::new(way).await;
    (world.hearers, world.gives_way) = (vec!["left", "middle", "right"], Some("right"));
    let gate = Gate::default();
    let before = gate.keeper();
    let busy: Rule = Arc::new(move |subscription, note| {
        if subscription == "left" && note.subject == "busy" {
            before.pass();
        }
        Ok(())
    });
    let process = world.start(&busy);
    world.tell((1..=40).map(|number| noted("busy", number)).collect()).await;
    gate.reached().await;
    for number in 1..=5 {
        world.tell(vec![noted("late", number)]).await;
        world.heard_all("middle", 40 + usize::try_from(number).unwrap()).await;
    }
    assert_eq!(numbers(&world.heard("right").await, "late"), [0_i64; 0]);
    let patience = Duration::from_millis(world.settings.give_way_ms.into());
    world.hearer.clock.advance(patience);
    assert_eq!(numbers(&world.heard_all("right", 45).await, "late"), [1, 2, 3, 4, 5]);
    assert_eq!(world.heard("left").await, []);
    gate.open();
    world.heard_all("left", 45).await;
    process.stop().await;
}

async fn an_event_delivered_twice_has_one_effect(way: Way) {
    let world = World::new(way).await;
    world.tell(vec![noted("a", 1), noted("b", 2)]).await;
    let body = serde_json::to_vec(&outbox_events(&world.teller).await).unwrap();
    let process = world.start(&takes_all());
    let mut publisher = process.bus.transport().publisher("teller").await.unwrap();
    for id in 1_000..1_010 {
        let (kind, body) = (Noted::KIND.to_owned(), body.clone().into());
        publisher.publish(Message { id, kind, partition: 0, body }).await.unwrap();
    }
    let mut settled = HashSet::new();
    while settled.len() < 10 {
        settled.extend(publisher.settled().await.unwrap().iter().filter(|message| message.taken).map(|it| it.id));
    }
    world.tell(vec![noted("last", 3)]).await;
    let last_heard = async || world.heard("left").await.iter().any(|(subject, _)| subject == "last").then_some(());
    eventually("the last event is heard", last_heard).await;
    let heard = world.heard("left").await;
    assert_eq!((heard.len(), numbers(&heard, "a"), numbers(&heard, "b")), (3, vec![1], vec![2]));
    process.stop().await;
}

async fn a_kind_that_nobody_hears_does_not_block(way: Way) {
    let world = World::new(way).await;
    let process = world.start(&takes_all());
    for number in 0..100 {
        world.tell(vec![Whispered(noted("a", number))]).await;
    }
    world.tell(vec![noted("a", 100)]).await;
    assert_eq!(world.heard_all("left", 1).await, [("a".to_owned(), 100)]);
    world.outbox_is_empty().await;
    process.stop().await;
}

async fn what_is_no_event_is_parked(way: Way) {
    let world = World::new(way).await;
    let process = world.start(&takes_all());
    let mut publisher = process.bus.transport().publisher("teller").await.unwrap();
    let kind = Noted::KIND.to_owned();
    publisher.publish(Message { id: 1, kind, partition: 0, body: "nonsense\0".into() }).await.unwrap();
    world.tell(vec![noted("a", 1)]).await;
    assert_eq!(world.heard_all("left", 1).await, [("a".to_owned(), 1)]);
    world.dead_letters(0, 2).await;
    process.stop().await;
}

async fn a_cut_link_to_the_database_loses_nothing(way: Way) {
    let mut world = World::new(way).await;
    let proxy = FaultProxy::to(world.hearer.store.url()).await;
    let options = store::StoreOptions::new(proxy.url(), "hearer");
    world.hearer.store = store::Store::connect(options, world.hearer.clock.clone()).unwrap();
    let process = world.start(&takes_all());
    world.tell((0..100).map(|number| noted("a", number)).collect()).await;
    world.heard_all("left", 1).await;
    proxy.refuse();
    for number in 100..200 {
        world.tell(vec![noted("a", number)]).await;
    }
    proxy.resume();
    for subscription in ["left", "right"] {
        assert_eq!(numbers(&world.heard_all(subscription, 200).await, "a"), (0..200).collect::<Vec<_>>());
    }
    proxy.cut();
    world.tell(vec![noted("a", 200)]).await;
    assert_eq!(world.heard_all("left", 201).await.len(), 201);
    world.dead_letters(0, 0).await;
    process.stop().await;
}
