//! Balances and the ledger of units.

use contracts::Problem;
use kernel::{LocationCode, Page, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Tx};
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Path, Principal, Query, answer, page};

use super::{State, locations_asked};
use crate::store::movements::Held;
use crate::store::stock::{self, Balance, Filter};
use crate::store::{catalog, code, movements};

/// The balance of one SKU at one location. Holds that have run out do not count as reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockView {
    /// The SKU.
    pub sku: SkuCode,
    /// The location.
    pub location: LocationCode,
    /// Units there.
    pub on_hand: i64,
    /// Units promised.
    pub reserved: i64,
    /// Units never promised.
    pub safety: i64,
    /// Units kept apart.
    pub quarantined: i64,
    /// Units on their way here.
    pub incoming: i64,
    /// Units that tills have sold and the books could not spare; nothing is available while it is above 0.
    pub owed: i64,
    /// Units that may be promised: on hand − reserved − safety − quarantined − owed, at least 0.
    pub available: i64,
    /// Grows with every change.
    pub version: i64,
}

impl TryFrom<Balance> for StockView {
    type Error = Error;

    fn try_from(balance: Balance) -> Result<Self, Error> {
        Ok(Self {
            sku: code(&balance.sku)?,
            location: code(&balance.location)?,
            available: balance.available(),
            on_hand: balance.on_hand,
            reserved: balance.reserved,
            safety: balance.safety,
            quarantined: balance.quarantined,
            incoming: balance.incoming,
            owed: balance.owed,
            version: balance.version,
        })
    }
}

/// What was at a location at an instant. What was promised, expected or set aside as safety stock then is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StockAtView {
    /// The SKU.
    sku: SkuCode,
    /// The location.
    location: LocationCode,
    /// Units that were there.
    on_hand: i64,
    /// Units of these that were kept apart.
    quarantined: i64,
}

impl TryFrom<Held> for StockAtView {
    type Error = Error;

    fn try_from(held: Held) -> Result<Self, Error> {
        Ok(Self {
            sku: code(&held.sku)?,
            location: code(&held.location)?,
            on_hand: held.on_hand,
            quarantined: held.quarantined,
        })
    }
}

/// A page of balances: as they are, or as they were at an instant.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = StockPage)]
pub enum Shown {
    /// As they are.
    Now(Page<StockView>),
    /// As they were at the instant `at`.
    Then(Page<StockAtView>),
}

impl Shown {
    const fn is_empty(&self) -> bool {
        match self {
            Self::Now(page) => page.items.is_empty(),
            Self::Then(page) => page.items.is_empty(),
        }
    }
}

/// Reads a page of balances.
fn shown(tx: &mut Tx<'_>, filter: &Filter, at: Option<Timestamp>) -> Result<Shown, Problem> {
    let limit = filter.limit;
    let filter = Filter { limit: limit.saturating_add(1), ..filter.clone() };
    let Some(at) = at else { return Ok(Shown::Now(views(stock::list(tx, &filter)?, limit)?)) };
    if at > tx.now() {
        return Err(Problem::invalid("at", "is not in the future"));
    }
    let rows = movements::list_at(tx, &filter, at)?;
    let views = rows.into_iter().map(StockAtView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Shown::Then(Page::from_rows(views, limit, |view| (view.sku.to_string(), view.location.to_string()))))
}

/// Which page of a SKU's balances.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfSkuQuery {
    /// As of this instant; as it is now, when left out.
    at: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A SKU's balance at each location
///
/// With `at`, what was there at that instant, rebuilt from the movements: `on_hand` and `quarantined` alone.
#[utoipa::path(get, path = "/v1/stock/{sku}", tag = "inventory", params(("sku" = String, Path, description = "The SKU"), OfSkuQuery),
    responses((status = 200, body = Shown), (status = 404, body = Problem)))]
pub async fn of_sku(state: Data<State>, principal: Principal, path: Path<SkuCode>, query: Query<OfSkuQuery>) -> Answer {
    let sku = path.into_inner();
    let query = query.into_inner();
    let (limit, after) = page::<(SkuCode, LocationCode)>(query.limit, query.cursor)?;
    let filter = Filter {
        sku: Some(sku.to_string()),
        location: None,
        within: principal.location_filter(),
        after: after.map(|(sku, location)| (sku.into(), location.into())),
        limit,
    };
    let shown = state.store.read("stock_of_sku", move |tx| {
        let shown = shown(tx, &filter, query.at)?;
        if shown.is_empty() && !catalog::knows(tx, sku.as_str())? {
            return Err(Problem::not_found("SKU", &sku));
        }
        Ok(shown)
    });
    Ok(answer::ok(&shown.await?))
}

fn views(rows: Vec<Balance>, limit: i64) -> Result<Page<StockView>, Error> {
    let views = rows.into_iter().map(StockView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(views, limit, |view| (view.sku.to_string(), view.location.to_string())))
}

/// Which balances to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At this location alone.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Of this SKU alone.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
    /// As of this instant; as it is now, when left out.
    at: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List balances by SKU, then location
///
/// With `at`, what was there at that instant, rebuilt from the movements: `on_hand` and `quarantined` alone.
#[utoipa::path(get, path = "/v1/stock", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Shown)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page::<(SkuCode, LocationCode)>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        sku: query.sku.map(String::from),
        location: query.location.map(String::from),
        after: after.map(|(sku, location)| (sku.into(), location.into())),
        limit,
    };
    let shown = state.store.read("list_stock", move |tx| shown(tx, &filter, query.at));
    Ok(answer::ok(&shown.await?))
}

/// One movement of units. The balance after it is Σ of all movements up to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MovementView {
    /// Its number in the ledger.
    id: i64,
    /// Where.
    location: LocationCode,
    /// What made the units move: `receipt`, `shipment`, `return`, `transfer_out`, `transfer_in`, `sent`, `arrived`,
    /// `adjustment`, `count` or `damage`.
    kind: String,
    /// Units that came (or left, below 0).
    on_hand: i64,
    /// Units put apart (or back, below 0).
    quarantined: i64,
    /// Units there afterwards.
    on_hand_after: i64,
    /// Units apart afterwards.
    quarantined_after: i64,
    /// Why.
    reason: String,
    /// What it belongs to: a fulfilment, a return, the caller's own reference.
    reference: Option<String>,
    /// Who did it.
    actor: String,
    /// When.
    at: Timestamp,
}

impl TryFrom<movements::Recorded> for MovementView {
    type Error = Error;

    fn try_from(it: movements::Recorded) -> Result<Self, Error> {
        Ok(Self {
            id: it.id,
            location: code(&it.location)?,
            kind: it.kind,
            on_hand: it.on_hand,
            quarantined: it.quarantined,
            on_hand_after: it.on_hand_after,
            quarantined_after: it.quarantined_after,
            reason: it.reason,
            reference: it.reference,
            actor: it.actor,
            at: it.at.into(),
        })
    }
}

/// Which movements to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MovementsQuery {
    /// At this location alone.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Of this kind alone.
    #[param(inline)]
    kind: Option<movements::MovementKind>,
    /// From this instant on.
    from: Option<Timestamp>,
    /// Before this instant.
    until: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A SKU's movements, oldest first
#[utoipa::path(get, path = "/v1/stock/{sku}/movements", tag = "inventory",
    params(("sku" = String, Path, description = "The SKU"), MovementsQuery),
    responses((status = 200, body = Page<MovementView>)))]
pub async fn movements(
    state: Data<State>,
    principal: Principal,
    path: Path<SkuCode>,
    query: Query<MovementsQuery>,
) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page(query.limit, query.cursor)?;
    let filter = movements::Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        sku: path.into_inner().into(),
        location: query.location.map(String::from),
        kind: query.kind,
        from: query.from,
        until: query.until,
        after,
        limit: limit.saturating_add(1),
    };
    let rows = state.store.read("list_movements", move |tx| movements::list(tx, &filter)).await?;
    let views = rows.into_iter().map(MovementView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}
