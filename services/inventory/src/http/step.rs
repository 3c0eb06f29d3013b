//! A step that a receipt, a transfer or a count takes: it is done once, and answered with the document as it is then.

use actix_web::HttpResponse;
use serde::Serialize;
use service::write;
use store::{Error, Tx};
use web::{Failure, Meta};

use super::State;
use crate::app::caller::Caller;
use crate::app::refusal::Refusal;

/// A document as it is read.
pub(super) trait View: Serialize {
    /// Grows with every change.
    fn version(&self) -> i64;
}

/// Takes a step. Units may have become free by it, so whoever waits for stock is woken.
pub(super) async fn step<V, D>(
    state: &State,
    meta: &Meta,
    name: &'static str,
    take: impl FnOnce(&mut Tx<'_>, &Caller) -> Result<D, Refusal> + Send + 'static,
) -> Result<HttpResponse, Failure>
where
    V: View + TryFrom<D, Error = Error>,
{
    let caller = Caller::of(meta);
    let done = write(meta, &state.store, name, move |tx| -> Result<service::Answer, Refusal> {
        let view = V::try_from(take(tx, &caller)?)?;
        Ok(service::Answer::ok(&view, view.version())?)
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}
