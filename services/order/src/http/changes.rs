//! Changes of an order in the book.

use actix_web::HttpResponse;
use contracts::requests::Address;
use contracts::{FieldError, Problem};
use kernel::id::OrderId;
use kernel::quantity::MAX_QUANTITY;
use kernel::{Code, Money};
use serde::Deserialize;
use service::{Answer, write};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path};

use super::App;
use super::orders::view;
use super::views::OrderView;
use crate::app::caller::Caller;
use crate::app::change_order::{Change, change_order};
use crate::app::references::Needs;
use crate::app::refusal::Refusal;
use crate::app::wished_lines::{self, Wish};
use crate::domain::faults::Faults;
use crate::domain::form::{LineForm, PaymentForm};
use crate::domain::growth::MAX_LINE_NO;
use crate::domain::intake::{MAX_LINES, MAX_NOTE_LENGTH, MAX_PAYMENTS};
use crate::store::code;

/// What an order is to be; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeBody {
    /// Where it goes.
    #[serde(default)]
    ship_to: Option<Address>,
    /// Units that are wanted of lines. What is fewer than now is cancelled, 0 the whole line; what is more is added as a line
    /// that extends it, at its price and without its discount. Lines that are not named stay.
    #[serde(default)]
    #[schema(max_items = 2000)]
    lines: Vec<Wanted>,
    /// What the order is to have more.
    #[serde(default)]
    add: AddBody,
    /// The guide credited with the sale; empty for none.
    #[serde(default)]
    #[schema(max_length = 64)]
    guide: Option<String>,
    /// The store credited with the sale, a known location; empty for none.
    #[serde(default)]
    #[schema(max_length = 64)]
    store: Option<String>,
    /// The remark; empty to remove it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Units that are wanted of a line.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The order line.
    line_no: i32,
    /// How many units, those of lines that extend it among them; those cancelled before are not.
    #[schema(minimum = 0)]
    quantity: i64,
}

/// What an order is to have more: lines, and what goes with them or with more units of lines.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddBody {
    /// New lines, as of a new order, with numbers that the order does not have.
    #[serde(default)]
    #[schema(max_items = 2000)]
    lines: Vec<LineForm>,
    /// What the freight rises by; it is shared out over what is added.
    #[serde(default)]
    freight: Option<Money>,
    /// A discount on what is added; it is shared out over that by what it costs.
    #[serde(default)]
    discount: Option<Money>,
    /// The tax of what is added; it is shared out over that by what it costs. Instead of the lines' own.
    #[serde(default)]
    tax: Option<Money>,
    /// Whether prices hold their tax, or it comes on top; as those of the order, when left out.
    #[serde(default)]
    prices_include_tax: Option<bool>,
    /// How it was paid. Where nothing else of the order is due they add up to what is added, less what goes back for units
    /// that are taken off with the same change; otherwise to no more than what is due then.
    #[serde(default)]
    #[schema(max_items = 20)]
    payments: Vec<PaymentForm>,
}

/// Change an order
///
/// All of it, or nothing. The address can be changed until a location has picked a part; where sourcing can tell the
/// difference, what has not shipped is sourced anew. Units can be taken off a line until they ship; what they cost goes back.
/// Until all of it has shipped units and lines can be added; they are sourced by themselves.
/// Until the order completes it can be credited to another guide and store; rebates follow.
#[utoipa::path(patch, path = "/v1/orders/{id}", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = ChangeBody, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 422, body = Problem)))]
pub async fn change(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Json<ChangeBody>,
) -> Result<HttpResponse, Failure> {
    let order_id = path.into_inner();
    let (change, mut wish) = checked(body.into_inner())?;
    check_store(&app, change.store.as_deref()).await?;
    if !wish.is_empty() {
        let wished = wish.clone();
        let needs = app.store.read("find_order", move |tx| wished_lines::needs(tx, order_id, &wished)).await?;
        wish.known = app.references.find(&needs).await?;
    }
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "change_order", move |tx| -> Result<Answer, Refusal> {
        change_order(tx, order_id, (&change, &wish), &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

fn checked(body: ChangeBody) -> Result<(Change, Wish), Refusal> {
    let mut faults = Faults::default();
    if let Some(address) = &body.ship_to {
        faults.address("ship_to", address);
    }
    for (field, count) in [("lines", body.lines.len()), ("add.lines", body.add.lines.len())] {
        if count > MAX_LINES {
            faults.add(field, format!("has at most {MAX_LINES} entries"));
        }
    }
    if body.add.payments.len() > MAX_PAYMENTS {
        faults.add("add.payments", format!("has at most {MAX_PAYMENTS} entries"));
    }
    for (index, line) in body.lines.iter().enumerate().take(MAX_LINES) {
        if !(0..=MAX_QUANTITY).contains(&line.quantity) {
            faults.add(format!("lines[{index}].quantity"), format!("lies between 0 and {MAX_QUANTITY}"));
        }
    }
    for (index, line) in body.add.lines.iter().enumerate().take(MAX_LINES) {
        if !(1..=MAX_LINE_NO).contains(&line.line_no) {
            faults.add(format!("add.lines[{index}].line_no"), format!("lies between 1 and {MAX_LINE_NO}"));
        }
    }
    for (field, named) in [("guide", &body.guide), ("store", &body.store)] {
        if let Some(error) = named.as_ref().filter(|it| !it.is_empty()).and_then(|it| it.parse::<Code>().err()) {
            faults.add(field, error.to_string());
        }
    }
    faults.optional_text("note", body.note.as_deref().filter(|note| !note.is_empty()), MAX_NOTE_LENGTH);
    faults.optional_text("reason", body.reason.as_deref(), MAX_NOTE_LENGTH);
    faults.into_result().map_err(Refusal::Invalid)?;
    let AddBody { lines: add, freight, discount, tax, prices_include_tax, payments } = body.add;
    let lines = body.lines.iter().map(|line| (line.line_no, line.quantity)).collect();
    let wish = Wish { lines, add, freight, discount, tax, prices_include_tax, payments, ..Wish::default() };
    let (ship_to, guide, store, note, reason) = (body.ship_to, body.guide, body.store, body.note, body.reason);
    Ok((Change { ship_to, guide, store, note, reason, ..Change::default() }, wish))
}

/// As for a new order: the store is a location that takes part.
async fn check_store(app: &App, store: Option<&str>) -> Result<(), Failure> {
    let Some(store) = store.filter(|store| !store.is_empty()) else { return Ok(()) };
    let store = code(store)?;
    let mut needs = Needs::default();
    needs.add_location(&store);
    let refusal = match app.references.find(&needs).await?.location(&store) {
        Some(location) if location.active => return Ok(()),
        Some(_) => {
            let detail = format!("{store} is not an active location");
            Refusal::Rule(FieldError { field: "store".to_owned(), detail })
        }
        None => Refusal::unknown("store", format!("{store} is not a known location")),
    };
    Err(Failure::from(refusal))
}
