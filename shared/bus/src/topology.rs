//! Who hears what: every subscription of the product, whichever of them run in this process.
//!
//! A transport knows the whole topology from the start and sets all of it up before it sends the first message, so that
//! no event is lost because its hearer is started later. A kind that the topology does not name is heard by nobody of
//! ours: sending it counts as done once the broker has taken it, whether or not someone else listens.

use crate::{Handler, Subscription};

/// The exchange that every event goes to, by its kind.
pub(crate) const EXCHANGE: &str = "onepool.events";

/// One subscription, as the broker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The service that hears.
    pub service: &'static str,
    /// The subscription's name within the service.
    pub subscription: &'static str,
    /// The kinds it hears.
    pub events: &'static [&'static str],
    /// How many queues share the stream.
    pub partitions: u16,
    /// Whether its events wait while the process is busy with events that do not.
    pub gives_way: bool,
}

impl Hearing {
    /// The subscription with what it does.
    pub fn handled_by(&self, handle: Handler) -> Subscription {
        let Self { subscription: name, events, partitions, gives_way, .. } = *self;
        Subscription { name, events, partitions, gives_way, handle }
    }

    /// The subscription's name at the broker.
    pub(crate) fn address(&self) -> String {
        format!("onepool.{}.{}", self.service, self.subscription)
    }

    /// The queues that share the stream: one by the subscription's name, or several numbered ones.
    pub(crate) fn queues(&self) -> Vec<String> {
        if self.partitions <= 1 {
            return vec![self.address()];
        }
        (0..self.partitions).map(|number| format!("{}.{number}", self.address())).collect()
    }
}

/// All subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    hearings: Vec<Hearing>,
}

impl Topology {
    /// A topology in which nobody hears anything.
    pub const fn new() -> Self {
        Self { hearings: Vec::new() }
    }

    /// A topology of these subscriptions.
    pub fn of<'a>(hearings: impl IntoIterator<Item = &'a Hearing>) -> Self {
        Self { hearings: hearings.into_iter().copied().collect() }
    }

    /// Adds a service's subscriptions.
    #[must_use]
    pub fn with(mut self, service: &'static str, subscriptions: &[Subscription]) -> Self {
        self.hearings.extend(subscriptions.iter().map(|subscription| Hearing {
            service,
            subscription: subscription.name,
            events: subscription.events,
            partitions: subscription.partitions,
            gives_way: subscription.gives_way,
        }));
        self
    }

    /// Every subscription.
    pub fn hearings(&self) -> &[Hearing] {
        &self.hearings
    }

    /// A subscription by its name.
    pub fn find(&self, service: &str, subscription: &str) -> Option<&Hearing> {
        self.hearings.iter().find(|hearing| hearing.service == service && hearing.subscription == subscription)
    }

    /// Whether anybody hears the kind.
    pub fn hears(&self, kind: &str) -> bool {
        self.hearings.iter().any(|hearing| hearing.events.contains(&kind))
    }
}
