//! A teller and a hearer on databases of their own, with a bus between them, and processes that start and crash.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Bus, ConsumeError, Subscription, Topology};
use contracts::{Cause, Event, Payload};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use runtime::lifecycle::Lifecycle;
use runtime::settings::BusSettings;
use serde::{Deserialize, Serialize};
use store::{Store, StoreOptions, Tx};
use testkit::{ManualClock, TestBroker, TestStore, eventually};

/// Which transport a test runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Embedded,
    RabbitMq,
}

/// An event that both subscriptions hear.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noted {
    pub subject: String,
    pub number: i64,
}

impl Payload for Noted {
    const KIND: &'static str = "note.noted";

    fn subject(&self) -> String {
        self.subject.clone()
    }
}

/// Another event that both hear.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Amended(pub Noted);

impl Payload for Amended {
    const KIND: &'static str = "note.amended";

    fn subject(&self) -> String {
        self.0.subject.clone()
    }
}

/// An event that nobody hears.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Whispered(pub Noted);

impl Payload for Whispered {
    const KIND: &'static str = "note.whispered";

    fn subject(&self) -> String {
        self.0.subject.clone()
    }
}

pub fn noted(subject: &str, number: i64) -> Noted {
    Noted { subject: subject.to_owned(), number }
}

/// What a hearer does with an event before it writes it down; by subscription, subject and number.
pub type Rule = Arc<dyn Fn(&str, &Noted) -> Result<(), ConsumeError> + Send + Sync>;

/// A rule that takes everything.
pub fn takes_all() -> Rule {
    Arc::new(|_, _| Ok(()))
}

/// A process with the teller, the hearer and a bus of its own.
pub struct Process {
    pub bus: Bus,
    pub lifecycle: Lifecycle,
}

impl Process {
    /// Ends at once, in the middle of whatever it does.
    pub async fn crash(self) {
        let _cut_off = self.lifecycle.shutdown(Duration::ZERO).await;
    }

    /// Ends as it should.
    pub async fn stop(self) {
        self.lifecycle.shutdown(Duration::from_secs(30)).await.expect("everything drains");
    }
}

pub struct World {
    pub settings: BusSettings,
    pub teller: Store,
    pub hearer: TestStore,
    pub partitions: u16,
    /// Who hears.
    pub hearers: Vec<&'static str>,
    /// Who of them gives way to the others.
    pub gives_way: Option<&'static str>,
    _told: TestStore,
    broker: Option<TestBroker>,
}

impl World {
    pub async fn new(way: Way) -> Self {
        let told = TestStore::new("teller", &[&store::MIGRATIONS]).await;
        let hearer = TestStore::new("hearer", &[&store::MIGRATIONS]).await;
        hearer.database.execute(
            "CREATE TABLE hearer.heard (position bigint GENERATED ALWAYS AS IDENTITY, subscription text NOT NULL,
             subject text NOT NULL, number bigint NOT NULL)",
        );
        let broker = (way == Way::RabbitMq).then(TestBroker::new);
        let url = broker.as_ref().map_or_else(|| "embedded:".to_owned(), TestBroker::url);
        // Subjects are spread over more partitions than there are queues, as in production.
        let options = StoreOptions { partitions: 16, ..StoreOptions::new(told.database.url(), "teller") };
        let teller = Store::connect(options, ManualClock::new()).expect("a valid schema name");
        let (settings, hearers) = (settings(&url), vec!["left", "right"]);
        Self { settings, teller, hearer, partitions: 1, hearers, gives_way: None, _told: told, broker }
    }

    /// The broker of a test that has one.
    pub fn broker(&self) -> &TestBroker {
        self.broker.as_ref().expect("a test over RabbitMQ")
    }

    /// Starts a process whose hearer follows the rule.
    pub fn start(&self, rule: &Rule) -> Process {
        let subscriptions = || self.hearers.iter().map(|name| self.subscription(name, rule)).collect::<Vec<_>>();
        let topology = Topology::new().with("teller", &[]).with("hearer", &subscriptions());
        let bus = Bus::connect(&self.settings, topology).expect("a usable url");
        let lifecycle = Lifecycle::new();
        bus.run(&self.teller, Vec::new(), &lifecycle);
        bus.run(&self.hearer.store, subscriptions(), &lifecycle);
        Process { bus, lifecycle }
    }

    fn subscription(&self, name: &'static str, rule: &Rule) -> Subscription {
        let rule = rule.clone();
        Subscription {
            name,
            events: &[Noted::KIND, Amended::KIND],
            partitions: self.partitions,
            gives_way: self.gives_way == Some(name),
            handle: Arc::new(move |tx, _, events| events.iter().try_for_each(|event| hear(tx, name, event, &rule))),
        }
    }

    /// Tells events in one transaction.
    pub async fn tell<P: Payload + Send + 'static>(&self, payloads: Vec<P>) {
        let told = self.teller.transact("tell", move |tx| {
            payloads.iter().try_for_each(|payload| store::outbox::append(tx, payload, &Cause::default()))
        });
        told.await.expect("events can be told");
    }

    /// What a subscription wrote down, in order.
    pub async fn heard(&self, subscription: &'static str) -> Vec<(String, i64)> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            subject: String,
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let rows = self.hearer.store.read("heard", move |tx| {
            diesel::sql_query("SELECT subject, number FROM heard WHERE subscription = $1 ORDER BY position")
                .bind::<Text, _>(subscription)
                .load::<Row>(tx.conn())
                .map_err(store::Error::from)
        });
        // The database may be out of reach for a moment, because a test broke the link to it.
        rows.await.unwrap_or_default().into_iter().map(|row| (row.subject, row.number)).collect()
    }

    /// Waits until a subscription wrote down so many, and gives them.
    pub async fn heard_all(&self, subscription: &'static str, count: usize) -> Vec<(String, i64)> {
        eventually("everything is heard", async || {
            let heard = self.heard(subscription).await;
            (heard.len() >= count).then_some(heard)
        })
        .await
    }

    /// Waits until nothing is left to be sent.
    pub async fn outbox_is_empty(&self) {
        eventually("the outbox is empty", async || {
            let backlog = self.teller.read("backlog", store::outbox::backlog).await.ok()?;
            (backlog.rows == 0).then_some(())
        })
        .await;
    }

    /// Waits until the hearer has so many dead letters: to be tried again, and parked.
    pub async fn dead_letters(&self, waiting: i64, parked: i64) {
        eventually("dead letters as expected", async || {
            let count = self.hearer.store.read("count", store::dead_letters::count).await.ok()?;
            ((count.waiting, count.parked) == (waiting, parked)).then_some(())
        })
        .await;
    }
}

fn hear(tx: &mut Tx<'_>, subscription: &str, event: &Event, rule: &Rule) -> Result<(), ConsumeError> {
    let note = match event.kind.as_str() {
        Noted::KIND => event.payload::<Noted>()?,
        _ => event.payload::<Amended>()?.0,
    };
    diesel::sql_query("INSERT INTO heard (subscription, subject, number) VALUES ($1, $2, $3)")
        .bind::<Text, _>(subscription)
        .bind::<Text, _>(&note.subject)
        .bind::<BigInt, _>(note.number)
        .execute(tx.conn())?;
    rule(subscription, &note)
}

fn settings(url: &str) -> BusSettings {
    BusSettings {
        url: url.into(),
        batch_events: 300,
        prefetch: 64,
        give_way_ms: 60_000,
        confirm_timeout_ms: 3_000,
        poll_ms: 50,
        max_queue_messages: 100_000,
        retry_attempts: 3,
        retry_first_ms: 1_000,
        retry_longest_ms: 60_000,
    }
}

/// Holds handlers up until it is opened, at the latest when the test ends: a handler that stands before it would keep a
/// failed test from ending.
#[derive(Default)]
pub struct Gate(Keeper);

/// A gate as handlers see it.
#[derive(Clone, Default)]
pub struct Keeper {
    state: Arc<(Mutex<(bool, usize)>, std::sync::Condvar)>,
}

impl Keeper {
    /// Waits, in a handler, until the gate is open.
    pub fn pass(&self) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        state.1 += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |(open, _)| !*open).unwrap());
    }
}

impl Gate {
    /// For handlers.
    pub fn keeper(&self) -> Keeper {
        self.0.clone()
    }

    /// Opens the gate for good.
    pub fn open(&self) {
        let (state, changed) = &*self.0.state;
        state.lock().unwrap().0 = true;
        changed.notify_all();
    }

    /// Waits until somebody stands before the gate.
    pub async fn reached(&self) {
        eventually("a handler is in the middle of a batch", async || {
            (self.0.state.0.lock().unwrap().1 > 0).then_some(())
        })
        .await;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// The numbers of one subject, in the order they were heard.
pub fn numbers(heard: &[(String, i64)], subject: &str) -> Vec<i64> {
    heard.iter().filter(|(other, _)| other == subject).map(|(_, number)| *number).collect()
}
