//! Bulk in and out: `application/x-ndjson` or `text/csv` in, a result line per input line out, exports in either, all in
//! bounded memory.

mod export;
mod framing;
mod incoming;
mod outgoing;
mod rows;
mod spool;

pub use export::{Format, export_as};
pub use incoming::{Incoming, Line};
pub use outgoing::{LineAnswer, export, import, stream};
pub use spool::chunks;

/// The media type of newline-delimited JSON.
pub const NDJSON: &str = "application/x-ndjson";
