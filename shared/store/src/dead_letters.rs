//! Dead letters: events that a subscription could not take, tried again later or parked for a person.
