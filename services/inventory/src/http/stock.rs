//! Balances and the ledger of units.

use contracts::Problem;
use kernel::{LocationCode, Page, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Path, Principal, Query, answer, page};

use super::{State, locations_asked};
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
    /// Units that may be promised: on hand − reserved − safety − quarantined, at least 0.
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
            version: balance.version,
        })
    }
}

/// Which page of a SKU's balances.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfSkuQuery {
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A SKU's balance at each location
#[utoipa::path(get, path = "/v1/stock/{sku}", tag = "inventory", params(("sku" = String, Path, description = "The SKU"), OfSkuQuery),
    responses((status = 200, body = Page<StockView>), (status = 404, body = Problem)))]
pub async fn of_sku(state: Data<State>, principal: Principal, path: Path<SkuCode>, query: Query<OfSkuQuery>) -> Answer {
    let sku = path.into_inner();
    let query = query.into_inner();
    let (limit, after) = page::<(SkuCode, LocationCode)>(query.limit, query.cursor)?;
    let filter = Filter {
        sku: Some(sku.to_string()),
        location: None,
        within: principal.location_filter(),
        after: after.map(|(sku, location)| (sku.into(), location.into())),
        limit: limit.saturating_add(1),
    };
    let wanted = sku.to_string();
    let (rows, known) = state
        .store
        .read("stock_of_sku", move |tx| {
            let rows = stock::list(tx, &filter)?;
            let known = !rows.is_empty() || catalog::knows(tx, &wanted)?;
            Ok::<_, Error>((rows, known))
        })
        .await?;
    if !known {
        return Err(Problem::not_found("SKU", &sku).into());
    }
    Ok(answer::ok(&views(rows, limit)?))
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
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List balances by SKU, then location
#[utoipa::path(get, path = "/v1/stock", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Page<StockView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page::<(SkuCode, LocationCode)>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        sku: query.sku.map(String::from),
        location: query.location.map(String::from),
        after: after.map(|(sku, location)| (sku.into(), location.into())),
        limit: limit.saturating_add(1),
    };
    let rows = state.store.read("list_stock", move |tx| stock::list(tx, &filter)).await?;
    Ok(answer::ok(&views(rows, limit)?))
}

/// One movement of units. The balance after it is Σ of all movements up to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MovementView {
    /// Its number in the ledger.
    id: i64,
    /// Where.
    location: LocationCode,
    /// What made the units move: `receipt`, `shipment`, `pos_sale`, `return`, `transfer_out`, `transfer_in`, `adjustment`,
    /// `count` or `damage`.
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
