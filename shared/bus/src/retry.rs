//! The second try and all further ones: dead letters that are due go through the same handler and the same inbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::Event;
use store::Store;
use store::dead_letters::{self, DeadLetter};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::delay::{Delay, Stopped};
use crate::worker::{From, Worker};

/// Between two looks for what is due: no more than the shortest wait that is worth setting.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Dead letters taken up at once: a batch like any other.
const BATCH: i64 = 300;

/// Tries a service's dead letters again when they are due.
#[derive(Clone)]
pub(crate) struct Retry {
    pub store: Store,
    pub workers: Arc<[Worker]>,
    pub token: CancellationToken,
}

impl Retry {
    pub async fn run(self) {
        let mut delay = Delay::new(self.token.clone());
        loop {
            let outcome = match self.due().await {
                Ok(letters) => match self.again(letters).await {
                    // Also after a full batch: what another replica has in its hands stays due until it is done.
                    Ok(()) => self.rest().await,
                    stopped => stopped,
                },
                Err(error) => {
                    tracing::warn!(%error, "dead letters could not be looked for; it is tried again");
                    delay.wait().await
                }
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    async fn due(&self) -> Result<Vec<DeadLetter>, store::Error> {
        let names: Vec<&'static str> = self.workers.iter().map(|worker| worker.subscription.name).collect();
        self.store.read("due_dead_letters", move |tx| dead_letters::due(tx, &names, BATCH)).await
    }

    async fn rest(&self) -> Result<(), Stopped> {
        tokio::select! {
            () = self.token.cancelled() => Err(Stopped),
            () = sleep(LOOK_EVERY) => Ok(()),
        }
    }

    async fn again(&self, letters: Vec<DeadLetter>) -> Result<(), Stopped> {
        for worker in self.workers.iter() {
            let ours = letters.iter().filter(|letter| letter.subscription == worker.subscription.name);
            let mut attempts = HashMap::new();
            let mut events = Vec::new();
            for letter in ours {
                match event_of(letter, worker) {
                    Ok(event) => {
                        attempts.insert(event.id, u32::try_from(letter.attempts).unwrap_or(u32::MAX));
                        events.push(event);
                    }
                    Err(reason) => worker.park_again(letter, reason).await?,
                }
            }
            worker.settle(events, From::DeadLetters(Arc::new(attempts))).await?;
        }
        Ok(())
    }
}

/// The event in a dead letter, or why no further try is worth it.
fn event_of(letter: &DeadLetter, worker: &Worker) -> Result<Event, String> {
    let event: Event = serde_json::from_str(&letter.event).map_err(|error| format!("this is no event: {error}"))?;
    if worker.subscription.events.contains(&event.kind.as_str()) {
        Ok(event)
    } else {
        Err(format!("{} does not hear {}", worker.subscription.name, event.kind))
    }
}
