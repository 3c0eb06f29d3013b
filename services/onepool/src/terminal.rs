//! What the program says to the person who runs it.

use std::io::{ErrorKind, Write, stderr, stdout};

/// Says something on standard output; a reader that has closed it, such as `head`, has read enough.
pub fn say(text: &str) -> anyhow::Result<()> {
    match writeln!(stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Complains on standard error; where that is closed, nobody wants to hear it.
pub fn complain(text: &str) {
    let _closed = writeln!(stderr().lock(), "onepool: {text}");
}
