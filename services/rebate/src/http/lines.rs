//! Rebate lines, and why each is what it is.

use actix_web::Responder;
use chrono_tz::Tz;
use contracts::Problem;
use kernel::id::{MemberId, OrderId, PolicyId, RebateLineId};
use kernel::{Money, Page, PayeeCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Path, Principal, Query, answer, page};

use super::policies::{PolicyView, view_of as policy_view};
use super::{State, payees_asked};
use crate::app::explain::{Explained, ReturnStep, explain as explain_line};
use crate::app::{stored_code, stored_currency};
use crate::domain::accrual::Working;
use crate::domain::attribution::Candidate;
use crate::domain::party::ShareRole;
use crate::domain::period::Month;
use crate::store::lines::{self, LineFilter, LineRow};

/// What a payee earned on an order line by a policy version.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RebateLineView)]
pub struct LineView {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub id: RebateLineId,
    /// The order, or the till's transaction.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order line.
    pub line_no: i32,
    /// The policy version.
    #[schema(value_type = Uuid)]
    pub policy_id: PolicyId,
    /// In which role.
    #[schema(value_type = ShareRole)]
    pub role: String,
    /// Who earned.
    pub payee: String,
    /// `accrued` until the order completes, then `payable`, at tills at once; `reversed` when nothing is left of it.
    pub status: &'static str,
    /// What the rate applies to.
    pub basis: Money,
    /// The rate in parts per million.
    pub rate_ppm: i64,
    /// What was accrued.
    pub amount: Money,
    /// What of it was taken back.
    pub reversed: Money,
    /// What is left.
    pub net: Money,
    /// Units of the order line.
    pub quantity: i64,
    /// Units given back.
    pub units_back: i64,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// When it was accrued.
    pub accrued_at: Timestamp,
    /// When it became payable.
    pub earned_at: Option<Timestamp>,
    /// When the order was credited to somebody else, so that nothing of the line was left.
    pub superseded_at: Option<Timestamp>,
}

fn view_of(row: LineRow) -> Result<LineView, store::Error> {
    let currency = stored_currency(&row.currency)?;
    let net = row.left();
    let status = match (net, row.earned_at) {
        (0, _) => "reversed",
        (_, Some(_)) => "payable",
        (_, None) => "accrued",
    };
    Ok(LineView {
        id: RebateLineId(row.line_id),
        order_id: OrderId(row.order_id),
        line_no: row.line_no,
        policy_id: PolicyId(row.policy_id),
        role: row.role,
        payee: row.payee,
        status,
        basis: Money::new(row.basis_amount, currency),
        rate_ppm: row.rate_ppm,
        amount: Money::new(row.amount, currency),
        reversed: Money::new(row.amount.saturating_sub(net), currency),
        net: Money::new(net, currency),
        quantity: row.quantity,
        units_back: row.units_back,
        placed_at: row.placed_at.into(),
        accrued_at: row.accrued_at.into(),
        earned_at: row.earned_at.map(Into::into),
        superseded_at: row.superseded_at.map(Into::into),
    })
}

/// Which lines to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this order.
    order_id: Option<Uuid>,
    /// Earned by.
    #[param(value_type = Option<String>)]
    payee: Option<PayeeCode>,
    /// Of orders placed in this month of the retailer's calendar, such as `2026-11`.
    period: Option<String>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The filter that a query stands for, within what the caller may see.
fn filter_of(query: &ListQuery, principal: &Principal, zone: Tz) -> Result<LineFilter, Problem> {
    let month = query.period.as_deref().map(str::parse::<Month>).transpose();
    let month = month.map_err(|error| Problem::invalid("period", error.to_string()))?;
    let window = month.map(|month| month.window(zone));
    Ok(LineFilter {
        order_id: query.order_id,
        payees: payees_asked(principal, query.payee.as_ref())?,
        from: window.map(|window| window.from.utc()),
        until: window.and_then(|window| window.until).map(Timestamp::utc),
        line_id: None,
    })
}

/// List rebate lines in the order they were made
#[utoipa::path(get, path = "/v1/rebate/lines", tag = "rebate", params(ListQuery),
    responses((status = 200, body = Page<LineView>), (status = 422, body = Problem)))]
pub async fn list(
    state: Data<State>,
    query: Query<ListQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let query = query.into_inner();
    let filter = filter_of(&query, &principal, state.zone)?;
    let (limit, after) = page::<Uuid>(query.limit, query.cursor)?;
    let rows = state.store.read("list_rebate_lines", move |tx| lines::list(tx, &filter, after, limit)).await?;
    let views = rows.into_iter().map(view_of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// Read a rebate line
#[utoipa::path(get, path = "/v1/rebate/lines/{id}", tag = "rebate",
    params(("id" = Uuid, Path, description = "The line")),
    responses((status = 200, body = LineView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, path: Path<Uuid>, principal: Principal) -> Result<impl Responder, Failure> {
    let id = path.into_inner();
    let filter = LineFilter { line_id: Some(id), ..LineFilter::default() };
    let rows = state.store.read("get_rebate_line", move |tx| lines::list(tx, &filter, None, 1)).await?;
    let row = rows.into_iter().next().ok_or_else(|| Problem::not_found("rebate line", id))?;
    principal.require_payee(&stored_code(&row.payee)?)?;
    Ok(answer::ok(&view_of(row)?))
}

/// A line of the order, as it was sold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SoldLine {
    /// Its number.
    pub line_no: i32,
    /// What was bought.
    pub sku: String,
    /// Its category at that moment.
    pub category: Option<String>,
    /// How many units.
    pub quantity: i64,
    /// Before any discount.
    pub list: Money,
    /// What was paid for it, without freight.
    pub paid: Money,
}

/// The sale, as the order told it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SoldOrder {
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// Its channel.
    pub channel: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Who bought.
    #[schema(value_type = Option<Uuid>)]
    pub member_id: Option<MemberId>,
    /// The guide it names.
    pub guide: Option<String>,
    /// The store it names.
    pub store: Option<String>,
    /// Its lines.
    pub lines: Vec<SoldLine>,
}

/// Everything a rebate line rests on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The line.
    pub line: LineView,
    /// What was sold.
    pub order: SoldOrder,
    /// The policy version that pays.
    pub policy: PolicyView,
    /// Everyone who could have been credited, and why each was or was not.
    pub attribution: Vec<Candidate>,
    /// The arithmetic: basis, rate, rounding with its remainder, cap, and how the total was handed out over the lines.
    pub working: Option<Working>,
    /// What was given back, step by step.
    pub returns: Vec<ReturnStep>,
    /// Whether computing everything again gives the stored amounts.
    pub matches: bool,
}

/// Explain a rebate line
///
/// Everything is computed again from the recorded facts; `matches` says whether it agrees with what is stored.
#[utoipa::path(get, path = "/v1/rebate/lines/{id}/explain", tag = "rebate",
    params(("id" = Uuid, Path, description = "The line")),
    responses((status = 200, body = Explanation), (status = 404, body = Problem)))]
pub async fn explain(
    state: Data<State>,
    path: Path<RebateLineId>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let id = path.into_inner();
    let explained = state.store.read("explain_rebate_line", move |tx| explain_line(tx, id)).await?;
    let explained = explained.ok_or_else(|| Problem::not_found("rebate line", id))?;
    principal.require_payee(&stored_code(&explained.line.payee)?)?;
    Ok(answer::ok(&explanation_of(explained)?))
}

fn explanation_of(explained: Explained) -> Result<Explanation, store::Error> {
    let sale = explained.sale;
    let money = |amount| Money::new(amount, sale.currency);
    let lines = sale.lines.into_iter().map(|line| SoldLine {
        line_no: line.line_no,
        sku: line.sku,
        category: line.category,
        quantity: line.quantity,
        list: money(line.list_amount),
        paid: money(line.paid_amount),
    });
    Ok(Explanation {
        order: SoldOrder {
            order_id: sale.order_id,
            channel: sale.channel,
            placed_at: sale.placed_at,
            member_id: explained.member_id,
            guide: sale.guide,
            store: sale.store,
            lines: lines.collect(),
        },
        line: view_of(explained.line)?,
        policy: policy_view(explained.policy)?,
        attribution: explained.candidates,
        working: explained.working,
        returns: explained.returns,
        matches: explained.matches,
    })
}
