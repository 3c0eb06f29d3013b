//! What tills have sold and the books could not spare.

use contracts::Problem;
use kernel::id::PosTransactionId;
use kernel::{LocationCode, Page, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Principal, Query, answer, page};

use super::{State, locations_asked};
use crate::store::code;
use crate::store::debts::{self, Filter, Open};

/// Which debts to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DebtsQuery {
    /// Of this SKU alone.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
    /// At this location alone.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Units that a till sold and the books could not spare.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DebtView {
    /// The SKU; of a bundle, the part.
    sku: SkuCode,
    /// The store.
    location: LocationCode,
    /// The till's transaction.
    transaction_id: PosTransactionId,
    /// Units that it sold without cover.
    units: i64,
    /// Units of these that are still on the books.
    owed: i64,
    /// Since when.
    since: Timestamp,
}

impl TryFrom<Open> for DebtView {
    type Error = Error;

    fn try_from(it: Open) -> Result<Self, Error> {
        Ok(Self {
            sku: code(&it.sku)?,
            location: code(&it.location)?,
            transaction_id: PosTransactionId(it.transaction_id),
            units: it.units,
            owed: it.owed,
            since: it.since.into(),
        })
    }
}

/// List what tills have sold and the books could not spare, the oldest first
///
/// A debt ends when units become free at its store: a promise that was given back, goods received, a count that finds
/// them. It is settled before anything is promised anew, the oldest first.
#[utoipa::path(get, path = "/v1/stock/debts", tag = "inventory", params(DebtsQuery),
    responses((status = 200, body = Page<DebtView>), (status = 403, body = Problem)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<DebtsQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page::<i64>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        sku: query.sku.map(String::from),
        location: query.location.map(String::from),
        after,
        limit: limit.saturating_add(1),
    };
    let rows = state.store.read("list_debts", move |tx| debts::list(tx, &filter)).await?;
    let page = Page::from_rows(rows, limit, |it| it.id);
    let items = page.items.into_iter().map(DebtView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page { items, next_cursor: page.next_cursor }))
}
