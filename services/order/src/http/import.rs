//! Orders in bulk.

use std::collections::HashMap;

use contracts::Problem;
use futures_util::future::join_all;
use kernel::ChannelCode;
use kernel::id::OrderId;
use serde::Serialize;
use utoipa::ToSchema;
use web::ndjson::{self, Incoming, LineAnswer};
use web::{Answer, Data, Failure, Meta};

use super::App;
use super::orders::origin;
use crate::app::place_orders::{Origin, Place, Placed, Refusal};
use crate::app::references::{Known, Needs};
use crate::domain::form::OrderForm;
use crate::domain::intake::{self, Priced};

/// Lines worked on at once: some of the intake's batches, so that every lane has work.
const CHUNK: usize = 1_000;

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportedOrder)]
pub struct Imported {
    /// The order.
    id: OrderId,
    /// `created`, or `known` when the book had it with the same content.
    change: &'static str,
    /// Whether it was created and rules hold it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held: bool,
}

/// Import orders
///
/// Takes `application/x-ndjson` of any length, an order as for `POST /v1/orders` on each line, and answers a result line
/// per input line, in their order. A refused line does not hold up its neighbours; the same file may be sent again.
#[utoipa::path(post, path = "/v1/orders/import", tag = "order",
    request_body(content = OrderForm, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer<Imported>, content_type = "application/x-ndjson"), (status = 400, body = Problem)))]
pub async fn import(app: Data<App>, meta: Meta, lines: Incoming<OrderForm>) -> Answer {
    ndjson::import(lines, CHUNK, move |forms: Vec<OrderForm>| {
        let (app, meta) = (app.clone(), meta.clone());
        async move { place_all(&app, &meta, forms).await }
    })
    .await
}

async fn place_all(app: &App, meta: &Meta, forms: Vec<OrderForm>) -> Result<Vec<Result<Imported, Problem>>, Failure> {
    let mut needs = Needs::default();
    let mut checked = Vec::with_capacity(forms.len());
    for form in forms {
        let scope = meta.principal.require_channel(&form.channel);
        let priced = scope.and_then(|()| Ok(intake::check(&form).map_err(Refusal::from)?));
        if priced.is_ok() {
            needs.add_order(&form);
        }
        checked.push(priced.map(|priced| (form, priced)));
    }
    let known = app.references.find(&needs).await?;
    // The orders' own numbers make a repeated import harmless: a key for the whole body would have to store it.
    let origin = Origin { key: None, ..origin(meta) };
    let mut outcomes = Vec::with_capacity(checked.len());
    for round in rounds(checked) {
        let place = |(index, checked)| {
            let (known, origin) = (&known, &origin);
            async move { (index, place_one(app, known, origin, checked).await) }
        };
        outcomes.extend(join_all(round.into_iter().map(place)).await);
    }
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

type Checked = Result<(OrderForm, Priced), Problem>;

/// The lines in rounds, each with its place: a number that comes again goes a round later, so that its lines are taken in their
/// order. Nearly always there is one round.
fn rounds(checked: Vec<Checked>) -> Vec<Vec<(usize, Checked)>> {
    let mut seen: HashMap<(ChannelCode, String), usize> = HashMap::with_capacity(checked.len());
    let mut rounds: Vec<Vec<(usize, Checked)>> = Vec::new();
    for (index, checked) in checked.into_iter().enumerate() {
        let mut round = 0;
        if let Ok((form, _)) = &checked {
            let times = seen.entry((form.channel.clone(), form.channel_order_no.clone())).or_default();
            round = *times;
            *times = times.saturating_add(1);
        }
        match rounds.get_mut(round) {
            Some(lines) => lines.push((index, checked)),
            None => rounds.push(vec![(index, checked)]),
        }
    }
    rounds
}

async fn place_one(app: &App, known: &Known, origin: &Origin, checked: Checked) -> Result<Imported, Problem> {
    let (form, priced) = checked?;
    let (place, _) = Place::new(form, &priced, known, origin.clone(), app.store.now())?;
    let id = place.order.id();
    match app.intake.submit(place).await? {
        Placed::New | Placed::Replayed(_) => Ok(Imported { id, change: "created", held: false }),
        Placed::Held(_) => Ok(Imported { id, change: "created", held: true }),
        Placed::Known(id) => Ok(Imported { id, change: "known", held: false }),
    }
}
