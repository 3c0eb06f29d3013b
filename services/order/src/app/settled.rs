//! Waits until orders are no longer being sourced, for callers who said `Prefer: wait`.
//!
//! One task looks for all of them together, so a thousand waiting callers cost the database one small query each tick.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::store::{Error, Store};
use kernel::id::OrderId;
use runtime::lifecycle::Lifecycle;
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::store::orders;

/// Between two looks: short against what a caller notices.
const TICK: Duration = Duration::from_millis(20);

type Waiting = HashMap<Uuid, Vec<oneshot::Sender<()>>>;

/// Who waits for which order. Cloning shares it.
#[derive(Clone, Default)]
pub struct Settled {
    waiting: Arc<Mutex<Waiting>>,
    came: Arc<Notify>,
}

impl Settled {
    /// Starts the task that looks.
    pub fn start(store: Store, lifecycle: &Lifecycle) -> Self {
        let settled = Self::default();
        let (looking, token) = (settled.clone(), lifecycle.token());
        lifecycle.spawn("await_settled_orders", async move {
            while !token.is_cancelled() {
                if looking.waiting.lock().await.is_empty() {
                    tokio::select! {
                        () = token.cancelled() => return,
                        () = looking.came.notified() => {}
                    }
                }
                if let Err(error) = looking.look(&store).await {
                    tracing::debug!(error = %error, "orders that are waited for could not be looked at");
                }
                sleep(TICK).await;
            }
        });
        settled
    }

    /// Waits until the order is sourced, backordered or over, or the time is up.
    pub async fn wait(&self, order: OrderId, at_most: Duration) {
        let (settled, came) = oneshot::channel();
        self.waiting.lock().await.entry(order.uuid()).or_default().push(settled);
        self.came.notify_one();
        // Late or not: the caller reads the order as it is then.
        let _in_time = timeout(at_most, came).await;
    }

    async fn look(&self, store: &Store) -> Result<(), Error> {
        let ids: Vec<Uuid> = {
            let mut waiting = self.waiting.lock().await;
            waiting.retain(|_, callers| {
                callers.retain(|caller| !caller.is_closed());
                !callers.is_empty()
            });
            waiting.keys().copied().collect()
        };
        if ids.is_empty() {
            return Ok(());
        }
        let settled = store.read("await_settled_orders", move |tx| orders::settled(tx, &ids)).await?;
        let mut waiting = self.waiting.lock().await;
        for caller in settled.iter().filter_map(|id| waiting.remove(id)).flatten() {
            // A caller whose time was up is gone.
            let _gone = caller.send(());
        }
        Ok(())
    }
}
