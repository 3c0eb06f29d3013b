//! What breaks, breaks under load here: processes, servers, links, messages. Afterwards every order is final and every
//! invariant holds, with not one unit, point or cent too many or too few.

mod contention;
mod delivery;
mod links;
mod load;
mod moving;
mod poison;
mod processes;
mod siege;
mod watchmen;

/// Settings of every deployment here: orders are final on delivery, and what waits for a fact that has not arrived is tried
/// again soon, and for longer than a server is away.
pub const SETTINGS: [&str; 3] = ["order.return_window_seconds=0", "bus.retry_longest_ms=500", "bus.retry_attempts=500"];
