//! Batches of events: how they are read from messages, put in order, and handed to the handler.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use contracts::Event;
use serde_json::value::RawValue;
use store::dead_letters::Failure;
use store::{Tx, inbox};
use uuid::Uuid;

use crate::transport::Delivery;
use crate::{ConsumeError, Subscription};

/// What was in a message.
#[derive(Default)]
pub(crate) struct Parsed {
    /// The events.
    pub events: Vec<Event>,
    /// What is no event.
    pub broken: Vec<Failure>,
}

impl Parsed {
    /// Adds what is in a message.
    pub fn add(&mut self, delivery: &Delivery) {
        if let Ok(events) = serde_json::from_slice::<Vec<Event>>(&delivery.body) {
            self.events.extend(events);
            return;
        }
        // One bad event among good ones is parked alone.
        match serde_json::from_slice::<Vec<Box<RawValue>>>(&delivery.body) {
            Ok(parts) => parts.iter().for_each(|part| match serde_json::from_str(part.get()) {
                Ok(event) => self.events.push(event),
                Err(error) => self.broken.push(broken(&delivery.kind, part.get(), &error)),
            }),
            Err(error) => {
                let text = String::from_utf8_lossy(&delivery.body);
                self.broken.push(broken(&delivery.kind, &text, &error));
            }
        }
    }
}

/// The same text always gets the same id, so that it is parked once however often it is delivered.
fn broken(kind: &str, text: &str, error: &serde_json::Error) -> Failure {
    Failure {
        event: Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()),
        kind: kind.to_owned(),
        subject: String::new(),
        text: text.to_owned(),
        reason: format!("this is no event: {error}"),
    }
}

/// Puts a batch in the order it is handled in: rounds, in which every subject has one event at most, and within a round
/// one kind after the other. The events of one subject stay in the order they came in. Events that came twice and kinds
/// that the subscription does not hear (any more) are left out.
pub(crate) fn in_rounds(events: Vec<Event>, heard: &[&str]) -> Vec<Event> {
    let mut seen = HashSet::with_capacity(events.len());
    let mut rounds: HashMap<String, usize> = HashMap::with_capacity(events.len());
    let mut placed = Vec::with_capacity(events.len());
    for event in events {
        let Some(kind) = heard.iter().position(|kind| *kind == event.kind) else { continue };
        if !seen.insert(event.id) {
            continue;
        }
        let next = rounds.get(&event.subject).map_or(0, |round| round.saturating_add(1));
        rounds.insert(event.subject.clone(), next);
        placed.push(((next, kind), event));
    }
    // The sort is stable, so that within a round and kind the events stay as they came.
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, event)| event).collect()
}

/// Takes events as they came, in the transaction of their effect: each once, however often it comes. Whoever delivers them by
/// other means than a broker gets what a consumer does.
pub fn take(tx: &mut Tx<'_>, subscription: &Subscription, events: Vec<Event>) -> Result<(), ConsumeError> {
    apply(tx, subscription, &in_rounds(events, subscription.events))
}

/// Handles those of the events that were not taken before, and marks them as taken.
pub(crate) fn apply(tx: &mut Tx<'_>, subscription: &Subscription, events: &[Event]) -> Result<(), ConsumeError> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let fresh = inbox::take(tx, subscription.name, &ids)?;
    if fresh.len() == events.len() {
        return handle(tx, subscription, events);
    }
    let events: Vec<Event> = events.iter().filter(|event| fresh.contains(&event.id)).cloned().collect();
    handle(tx, subscription, &events)
}

fn handle(tx: &mut Tx<'_>, subscription: &Subscription, events: &[Event]) -> Result<(), ConsumeError> {
    let mut rest = events;
    while let Some(first) = rest.first() {
        let (group, after) = rest.split_at(group_length(rest));
        // A handler that panics must not block its queue; the transaction is rolled back as after any other failure.
        catch_unwind(AssertUnwindSafe(|| (subscription.handle)(tx, &first.kind, group)))
            .unwrap_or_else(|_| Err(ConsumeError::Park("the handler panicked".to_owned())))?;
        rest = after;
    }
    Ok(())
}

/// How many events from the first on are of one kind, each about another subject.
fn group_length(events: &[Event]) -> usize {
    let mut subjects = HashSet::new();
    let kind = events.first().map(|event| event.kind.as_str());
    events
        .iter()
        .take_while(|event| Some(event.kind.as_str()) == kind && subjects.insert(event.subject.as_str()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u128, kind: &str, subject: &str) -> Event {
        let json = format!(
            r#"{{"specversion":"1.0","id":"{}","source":"onepool/test","type":"{kind}","dataversion":1,
                "subject":"{subject}","time":"2026-11-11T00:00:00Z","data":{{}}}}"#,
            Uuid::from_u128(number)
        );
        serde_json::from_str(&json).unwrap()
    }

    fn delivery(body: &str) -> Delivery {
        Delivery { tag: 1, kind: "a.told".to_owned(), body: body.to_owned().into() }
    }

    fn numbers(events: &[Event]) -> Vec<u128> {
        events.iter().map(|event| event.id.as_u128()).collect()
    }

    #[test]
    fn a_subjects_events_stay_in_order_while_kinds_are_grouped() {
        let events = vec![
            event(1, "placed", "x"),
            event(2, "shipped", "x"),
            event(3, "placed", "y"),
            event(4, "placed", "x"),
            event(5, "placed", "z"),
        ];
        let ordered = in_rounds(events, &["placed", "shipped"]);
        assert_eq!(numbers(&ordered), [1, 3, 5, 2, 4]);
        assert_eq!(group_length(&ordered), 3);
    }

    #[test]
    fn one_subjects_events_of_one_kind_are_never_in_one_group() {
        let ordered = in_rounds(vec![event(1, "placed", "x"), event(2, "placed", "x")], &["placed"]);
        assert_eq!((numbers(&ordered), group_length(&ordered)), (vec![1, 2], 1));
    }

    #[test]
    fn what_came_twice_or_is_not_heard_is_left_out() {
        let events = vec![event(1, "placed", "x"), event(1, "placed", "x"), event(2, "renamed", "x")];
        assert_eq!(numbers(&in_rounds(events, &["placed"])), [1]);
    }

    #[test]
    fn a_bad_event_is_set_apart_from_its_good_neighbours() {
        let good = serde_json::to_string(&event(7, "a.told", "x")).unwrap();
        let mut parsed = Parsed::default();
        parsed.add(&delivery(&format!(r#"[{good},{{"id":"none"}}]"#)));
        assert_eq!(numbers(&parsed.events), [7]);
        assert_eq!(parsed.broken[0].text, r#"{"id":"none"}"#);
    }

    #[test]
    fn what_is_no_batch_is_set_apart_as_a_whole_with_the_same_id_each_time() {
        let mut parsed = Parsed::default();
        parsed.add(&delivery("no json"));
        parsed.add(&delivery("no json"));
        assert!(parsed.events.is_empty());
        assert_eq!((parsed.broken[0].text.as_str(), parsed.broken[0].kind.as_str()), ("no json", "a.told"));
        assert_eq!(parsed.broken[0].event, parsed.broken[1].event);
    }
}
