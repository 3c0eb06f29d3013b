//! Bulk in and out: `application/x-ndjson` or `text/csv` in, a result line per input line out, in bounded memory.

mod framing;
mod incoming;
mod outgoing;
mod rows;
mod spool;

pub use incoming::{Incoming, Line};
pub use outgoing::{LineAnswer, export, import, stream};

/// The media type of newline-delimited JSON.
pub const NDJSON: &str = "application/x-ndjson";
