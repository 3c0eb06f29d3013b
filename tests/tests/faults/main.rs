//! What breaks, breaks under load here: processes, servers, links, messages. Afterwards every order is final and every
//! invariant holds, with not one unit, point or cent too many or too few.

mod contention;
mod delivery;
mod links;
mod load;
mod poison;
mod processes;

/// Settings of every deployment here: orders are final on delivery, and what failed is tried again soon.
pub const SETTINGS: [&str; 2] = ["order.return_window_seconds=0", "bus.retry_longest_ms=500"];
