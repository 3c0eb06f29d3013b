//! What the program says to the person who runs it.

use std::io::{Write, stderr, stdout};

/// Says something on standard output.
pub fn say(text: &str) -> anyhow::Result<()> {
    writeln!(stdout().lock(), "{text}")?;
    Ok(())
}

/// Complains on standard error; where that is closed, nobody wants to hear it.
pub fn complain(text: &str) {
    let _closed = writeln!(stderr().lock(), "onepool: {text}");
}
