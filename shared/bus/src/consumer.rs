//! Consumers: they take what has arrived, settle it as one batch, and then acknowledge it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::batch::Parsed;
use crate::delay::{Delay, Stopped};
use crate::transport::{Error, Reader, Transport};
use crate::worker::{From, Worker};

/// One reader of one of a subscription's queues.
#[derive(Clone)]
pub(crate) struct Consumer {
    pub worker: Worker,
    pub transport: Arc<dyn Transport>,
    pub partition: u16,
    /// A batch takes no further message once it has so many events.
    pub batch_events: usize,
}

/// Why reading ended.
enum Ended {
    Stopped,
    Broken(Error),
}

impl std::convert::From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl std::convert::From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Consumer {
    /// Reads until the process is to stop, over as many links as that takes.
    pub async fn run(self) {
        let token = self.worker.token.clone();
        let mut delay = Delay::new(token.clone());
        while !token.is_cancelled() {
            match self.read(&token, &mut delay).await {
                Ended::Stopped => return,
                Ended::Broken(error) => {
                    tracing::warn!(
                        service = self.worker.store.schema(),
                        subscription = self.worker.subscription.name,
                        %error,
                        "reading events was interrupted and starts again"
                    );
                    if delay.wait().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn read(&self, token: &CancellationToken, delay: &mut Delay) -> Ended {
        let opening = self.transport.reader(self.worker.store.schema(), self.worker.subscription.name, self.partition);
        let opened = tokio::select! {
            () = token.cancelled() => return Ended::Stopped,
            opened = opening => opened,
        };
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(error) => return Ended::Broken(error),
        };
        let ended = loop {
            match self.batch(reader.as_mut(), token).await {
                Ok(()) => delay.reset(),
                Err(ended) => break ended,
            }
        };
        reader.close().await;
        ended
    }

    /// Settles and acknowledges what is there; a wish to stop is heard only between batches.
    async fn batch(&self, reader: &mut dyn Reader, token: &CancellationToken) -> Result<(), Ended> {
        let first = tokio::select! {
            biased;
            () = token.cancelled() => return Err(Ended::Stopped),
            first = reader.next() => first?,
        };
        let mut parsed = Parsed::default();
        parsed.add(&first);
        let mut last = first.tag;
        while parsed.events.len() < self.batch_events {
            let Some(next) = reader.ready()? else { break };
            parsed.add(&next);
            last = next.tag;
        }
        self.worker.park(parsed.broken).await?;
        self.worker.settle(parsed.events, From::Queue).await?;
        reader.acknowledge(last).await?;
        Ok(())
    }
}
