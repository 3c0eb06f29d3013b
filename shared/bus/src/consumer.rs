//! Consumers: they take what has arrived, settle it as one batch, and then acknowledge it.

use std::sync::Arc;
use std::time::Duration;

use contracts::Event;
use tokio_util::sync::CancellationToken;

use crate::batch::Parsed;
use crate::delay::{Delay, Stopped};
use crate::precedence::Precedence;
use crate::transport::{Error, Reader, Transport};
use crate::worker::{From, Worker};

/// Between two looks whether what took precedence is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One reader of one of a subscription's queues.
#[derive(Clone)]
pub(crate) struct Consumer {
    pub worker: Worker,
    pub transport: Arc<dyn Transport>,
    pub partition: u16,
    /// A batch takes no further message once it has so many events.
    pub batch_events: usize,
    pub precedence: Precedence,
    /// How long an event waits at most for what takes precedence.
    pub patience: Duration,
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
        if self.worker.subscription.gives_way {
            self.give_way(parsed.events.first(), token).await;
        }
        let mut last = first.tag;
        while parsed.events.len() < self.batch_events {
            let Some(next) = reader.ready()? else { break };
            parsed.add(&next);
            last = next.tag;
        }
        let urgent = if self.worker.subscription.gives_way { 0 } else { parsed.events.len() };
        let _taking = self.precedence.take(urgent);
        self.worker.park(parsed.broken).await?;
        self.worker.settle(parsed.events, From::Queue).await?;
        reader.acknowledge(last).await?;
        Ok(())
    }

    /// Waits while the process has something more urgent to do and the oldest event is not too old for that.
    async fn give_way(&self, oldest: Option<&Event>, token: &CancellationToken) {
        let now = || self.worker.store.now().unix_micros();
        let Some(told) = oldest.map(|event| event.time.unix_micros()) else { return };
        let patience = i64::try_from(self.patience.as_micros()).unwrap_or(i64::MAX);
        while self.precedence.is_taken() && now().saturating_sub(told) < patience {
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}
