//! Lines that wait to be sent: the first in memory, the rest in a file without a name.
//!
//! Many clients send their whole body before they read anything, so an answer that is written while the body is still
//! being read would stop both. The result lines wait here until the body has been taken in.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// What is held in memory before it goes to the file: the results of some ten thousand lines.
const IN_MEMORY: usize = 1 << 20;
/// What is read back at a time.
const CHUNK: usize = 64 << 10;

#[derive(Default)]
pub(super) struct Spool {
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    pub(super) async fn write<T: Serialize>(&mut self, lines: &[T]) -> io::Result<()> {
        for line in lines {
            serde_json::to_writer(&mut self.buffer, line)?;
            self.buffer.push(b'\n');
        }
        if self.buffer.len() < IN_MEMORY {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::from_std(tempfile::tempfile()?)),
        };
        file.write_all(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }

    /// All lines, in the order they were written.
    pub(super) async fn read(self) -> io::Result<impl Stream<Item = io::Result<Bytes>>> {
        let rest = stream::once(async { Ok(Bytes::from(self.buffer)) });
        let spilled = match self.file {
            Some(mut file) => {
                file.flush().await?;
                file.rewind().await?;
                Some(chunks(file))
            }
            None => None,
        };
        Ok(stream::iter(spilled).flatten().chain(rest))
    }
}

/// A file from where it stands to its end, piece by piece.
pub fn chunks(file: File) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut file).take(u64::try_from(CHUNK).unwrap_or(u64::MAX)).read_to_end(&mut chunk).await?;
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })
}
