//! Fulfilment orders in bulk: what a warehouse or a carrier reports of many at once.

use contracts::Problem;
use kernel::id::FulfilmentId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::ndjson::{self, Incoming, LineAnswer};
use web::{Answer, Data, Failure, Meta};

use super::App;
use super::fulfilments::{checked_parcels, picking, rejection};
use crate::app::caller::Caller;
use crate::app::move_fulfilment::{Move, move_fulfilments};
use crate::app::refusal::Refusal;
use crate::domain::form::{FoundForm, ParcelForm};
use crate::domain::state::FulfilmentStatus;

/// Lines moved in one transaction: enough to share its cost, few enough that nobody waits long for their orders' locks.
const CHUNK: usize = 300;

/// What is reported of a fulfilment order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The location takes it on.
    Accept,
    /// The location refuses it; it says why.
    Reject,
    /// The goods are off the shelf.
    Pick,
    /// The goods are in their parcels.
    Pack,
    /// The goods left.
    Ship,
    /// The goods reached the buyer.
    Deliver,
}

/// One report.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveLine {
    /// The fulfilment order.
    id: FulfilmentId,
    /// What happened to it.
    action: Action,
    /// Why it is rejected.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// The parcels it is packed in, or ships in.
    #[serde(default)]
    #[schema(max_items = 200)]
    parcels: Vec<ParcelForm>,
    /// What was picked; everything, when left out.
    #[serde(default)]
    lines: Option<Vec<FoundForm>>,
}

impl MoveLine {
    fn checked(self) -> Result<(FulfilmentId, Move), Refusal> {
        let misplaced = |field| Err(Refusal::invalid(field, "does not belong to this action"));
        let step = match self.action {
            _ if self.lines.is_some() && !matches!(self.action, Action::Pick) => return misplaced("lines"),
            Action::Reject if self.parcels.is_empty() => rejection(self.reason.unwrap_or_default())?,
            Action::Pack if self.reason.is_none() => Move::Pack { parcels: checked_parcels(self.parcels)? },
            Action::Ship if self.reason.is_none() => Move::Ship { parcels: checked_parcels(self.parcels)? },
            _ if !self.parcels.is_empty() => return misplaced("parcels"),
            _ if self.reason.is_some() => return misplaced("reason"),
            Action::Accept => Move::Accept,
            Action::Pick => picking(self.lines),
            Action::Deliver => Move::Deliver,
            Action::Reject | Action::Pack | Action::Ship => return misplaced("action"),
        };
        Ok((self.id, step))
    }
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Moved {
    /// The fulfilment order.
    id: FulfilmentId,
    /// Where it stands now.
    status: FulfilmentStatus,
    /// Its version.
    version: i64,
}

/// Report on many fulfilment orders
///
/// Takes `application/x-ndjson` of any length and answers a result line per input line. Lines are taken in their order,
/// 300 to a transaction, so one fulfilment order may be accepted, shipped and delivered by three lines after each other; a
/// refused line does not hold up its neighbours. Without an idempotency key: a line that is sent again finds the state
/// reached already and is refused.
#[utoipa::path(post, path = "/v1/fulfilments/import", tag = "order",
    request_body(content = MoveLine, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer<Moved>, content_type = "application/x-ndjson"), (status = 400, body = Problem)))]
pub async fn import(app: Data<App>, meta: Meta, lines: Incoming<MoveLine>) -> Answer {
    ndjson::import(lines, CHUNK, move |lines: Vec<MoveLine>| {
        let (app, meta) = (app.clone(), meta.clone());
        async move { move_all(&app, &meta, lines).await }
    })
    .await
}

async fn move_all(app: &App, meta: &Meta, lines: Vec<MoveLine>) -> Result<Vec<Result<Moved, Problem>>, Failure> {
    let mut moves = Vec::with_capacity(lines.len());
    let mut checked = Vec::with_capacity(lines.len());
    for line in lines {
        checked.push(line.checked().map(|it| moves.push(it)));
    }
    let (caller, rules) = (Caller::of(meta), app.rules);
    let run = app.store.transact("move_fulfilments", move |tx| move_fulfilments(tx, &moves, &caller, rules));
    let mut moved = run.await?.into_iter();
    let outcome = |checked: Result<(), Refusal>| -> Result<Moved, Problem> {
        checked?;
        let it = moved.next().unwrap_or(Err(Refusal::Store(store::Error::Broken("a move has an outcome"))))?;
        Ok(Moved { id: it.id, status: it.status, version: it.version })
    };
    Ok(checked.into_iter().map(outcome).collect())
}
