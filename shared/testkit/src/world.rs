//! Services side by side in one process, with what goes wrong between them drawn from a seed: the same seed, the same run.
//!
//! Events go from each service's outbox to those that hear them, through the inbox that a consumer has. On the way they
//! come late, twice, or in another order than those of other subjects; a service dies before its transaction commits, or
//! after it and before it could say so. What fails is tried again later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bus::{ConsumeError, Subscription};
use contracts::Event;
use diesel::prelude::*;
use diesel::sql_types::Text;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use service::Descriptor;
use store::Error;

use crate::{ManualClock, TestService};

/// How often something goes wrong, in percent of the times it could.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// A service dies before the transaction commits.
    pub dies_before: u32,
    /// A service dies after the transaction and before it could say so: everything comes again.
    pub dies_after: u32,
    /// An event comes once more, some time later.
    pub twice: u32,
    /// A part is slow: nothing reaches it for a while.
    pub slow: u32,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self { dies_before: 0, dies_after: 0, twice: 0, slow: 0 };
}

/// What has gone wrong so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Transactions that were lost with their service.
    pub died_before: u64,
    /// Transactions that were delivered again after a death.
    pub died_after: u64,
    /// Events that came twice.
    pub twice: u64,
    /// Times that a part was slow.
    pub slow: u64,
    /// Events that could not be taken when they came.
    pub early: u64,
}

struct Queue {
    service: usize,
    subscription: Subscription,
    waiting: VecDeque<Event>,
    failed: VecDeque<Event>,
    /// For how many more deliveries nothing reaches it.
    slow_for: u32,
}

/// Services with a clock and what is between them.
pub struct World {
    /// Their clock.
    pub clock: Arc<ManualClock>,
    /// What is random.
    pub random: StdRng,
    /// What goes wrong.
    pub faults: Faults,
    /// What has gone wrong.
    pub wrong: Wrong,
    services: Vec<TestService>,
    queues: Vec<Queue>,
}

/// A handler's outcome, or the death of its service.
enum Outcome {
    Refused(ConsumeError),
    Died,
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::Refused(ConsumeError::Store(error))
    }
}

impl World {
    /// The world of these services, with their settings, as it follows from a seed.
    pub async fn new(services: &[(&Descriptor, &[(&str, &str)])], faults: Faults, seed: u64) -> Self {
        let clock = ManualClock::new();
        let mut built = Vec::with_capacity(services.len());
        for (descriptor, settings) in services {
            built.push(TestService::at(descriptor, settings, clock.clone()).await);
        }
        let hearing = built.iter().enumerate().flat_map(|(service, it)| {
            it.subscriptions().iter().map(move |subscription| Queue {
                service,
                subscription: subscription.clone(),
                waiting: VecDeque::new(),
                failed: VecDeque::new(),
                slow_for: 0,
            })
        });
        let queues = hearing.collect();
        let random = StdRng::seed_from_u64(seed);
        Self { clock, random, faults, wrong: Wrong::default(), services: built, queues }
    }

    /// A service by its place.
    pub fn service(&self, place: usize) -> &TestService {
        self.services.get(place).expect("a service with this place")
    }

    /// Whether something happens that happens in so many percent of the times.
    pub fn happens(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    /// Something told from outside, to all who hear it.
    pub fn tell(&mut self, event: &Event) {
        for queue in &mut self.queues {
            if queue.subscription.events.contains(&event.kind.as_str()) {
                queue.waiting.push_back(event.clone());
            }
        }
    }

    /// Moves what the services have told on to those that hear it.
    pub async fn relay(&mut self) {
        for place in 0..self.services.len() {
            for event in unsent(self.service(place)).await {
                self.tell(&event);
            }
        }
    }

    /// Lets time pass, and every service do what it does by itself.
    pub async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        for service in &self.services {
            for job in service.jobs() {
                service.run_job(job.name).await;
            }
        }
        self.relay().await;
    }

    /// Delivers some of what is on its way; says whether anything was.
    pub async fn deliver(&mut self) -> bool {
        self.relay().await;
        let busy: Vec<usize> = (0..self.queues.len()).filter(|place| self.is_busy(*place)).collect();
        if busy.is_empty() {
            return false;
        }
        let chosen = self.random.random_range(0..busy.len());
        if let Some(place) = busy.get(chosen) {
            self.deliver_to(*place).await;
        }
        self.relay().await;
        true
    }

    /// Delivers until nothing is on its way any more, whatever goes wrong meanwhile.
    pub async fn settle(&mut self) {
        while self.deliver().await {
            self.clock.advance(Duration::from_millis(1));
        }
    }

    fn is_busy(&self, place: usize) -> bool {
        self.queues.get(place).is_some_and(|it| !it.waiting.is_empty() || !it.failed.is_empty())
    }

    async fn deliver_to(&mut self, place: usize) {
        let (slow, some) = (self.happens(self.faults.slow), self.random.random_range(1..=20));
        let queue = self.queues.get_mut(place).expect("a queue with this place");
        if queue.slow_for > 0 {
            queue.slow_for -= 1;
            return;
        }
        if slow {
            queue.slow_for = 10;
            self.wrong.slow += 1;
            return;
        }
        // What failed is tried again now and then, each alone.
        if let Some(event) = queue.failed.pop_front()
            && let Err(reason) = self.take(place, vec![event.clone()]).await
        {
            self.put_aside(place, event, &reason);
        }
        let queue = self.queues.get_mut(place).expect("a queue with this place");
        let batch: Vec<Event> = queue.waiting.drain(..queue.waiting.len().min(some)).collect();
        if batch.is_empty() || self.take(place, batch.clone()).await.is_ok() {
            return;
        }
        for event in batch {
            if let Err(reason) = self.take(place, vec![event.clone()]).await {
                self.put_aside(place, event, &reason);
            }
        }
    }

    fn put_aside(&mut self, place: usize, event: Event, reason: &str) {
        self.wrong.early += 1;
        let queue = self.queues.get_mut(place).expect("a queue with this place");
        queue.failed.push_back(event);
        assert!(queue.failed.len() < 10_000, "{} has come to a standstill: {reason}", queue.subscription.name);
    }

    /// Lets a subscription take events, as often as its service dies over them; why it did not, when it did not.
    async fn take(&mut self, place: usize, events: Vec<Event>) -> Result<(), String> {
        loop {
            let dies = self.happens(self.faults.dies_before);
            let again = self.happens(self.faults.dies_after);
            let twice = self.happens(self.faults.twice);
            let queue = self.queues.get_mut(place).expect("a queue with this place");
            let (subscription, name) = (queue.subscription.clone(), queue.subscription.name);
            let (taken, service) = (events.clone(), queue.service);
            let outcome = self.service(service).test.store.transact("take", move |tx| {
                bus::take(tx, &subscription, taken).map_err(Outcome::Refused)?;
                if dies { Err(Outcome::Died) } else { Ok(()) }
            });
            match outcome.await {
                Ok(()) if again => self.wrong.died_after += 1,
                Ok(()) => {
                    if twice && let Some(event) = events.first() {
                        self.wrong.twice += 1;
                        let queue = self.queues.get_mut(place).expect("a queue with this place");
                        queue.waiting.push_back(event.clone());
                    }
                    return Ok(());
                }
                Err(Outcome::Died) => self.wrong.died_before += 1,
                Err(Outcome::Refused(ConsumeError::Park(reason))) => panic!("{name} parks {events:?}: {reason}"),
                Err(Outcome::Refused(error)) => return Err(error.to_string()),
            }
        }
    }
}

/// Takes what a service has told out of its outbox, in order.
async fn unsent(service: &TestService) -> Vec<Event> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        body: String,
    }
    let rows = service.test.store.transact("relay", |tx| {
        let taken = "WITH taken AS (DELETE FROM outbox RETURNING id, body) SELECT body FROM taken ORDER BY id";
        Ok::<Vec<Row>, Error>(diesel::sql_query(taken).load(tx.conn())?)
    });
    let rows = rows.await.expect("the outbox can be read");
    rows.iter().flat_map(|row| serde_json::from_str::<Vec<Event>>(&row.body).expect("a batch of CloudEvents")).collect()
}
