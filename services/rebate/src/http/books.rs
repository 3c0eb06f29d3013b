//! The rebate ledger as finance reads it: balances, entries, trial balance.

use std::collections::BTreeMap;

use actix_web::Responder;
use contracts::{Problem, ProblemCode};
use kernel::id::OrderId;
use kernel::{Currency, Money, Page, PayeeCode, Timestamp};
use ledger::{Balance, Entry, EntryFilter, EntryKey, TrialLine};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Principal, Query, answer, page};

use super::{State, payees_asked};
use crate::app::books::{ACCRUED, EXPENSE, PAYABLE};
use crate::app::stored_currency;
use crate::store::payees;

/// What stands in a payee's accounts in one currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BalanceView {
    /// Who.
    pub payee: String,
    /// Earned on orders whose return window is still open.
    pub accrued: Money,
    /// Owed.
    pub payable: Money,
    /// What the retailer has spent on the payee: the same as accrued and payable together while nothing is paid out.
    pub expense: Money,
}

/// Whose balances to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BalancesQuery {
    /// Whose; everyone's the caller may see, when left out.
    #[param(value_type = Option<String>)]
    payee: Option<PayeeCode>,
    /// At most so many payees (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List balances by payee and currency
///
/// A payee that has never earned anything has none.
#[utoipa::path(get, path = "/v1/rebate/balances", tag = "rebate", params(BalancesQuery),
    responses((status = 200, body = Page<BalanceView>), (status = 404, body = Problem)))]
pub async fn balances(
    state: Data<State>,
    query: Query<BalancesQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let BalancesQuery { payee, limit, cursor } = query.into_inner();
    let (limit, after) = page::<String>(limit, cursor)?;
    let scope = payees_asked(&principal, payee.as_ref())?;
    let (owners, found) = state
        .store
        .read("list_balances", move |tx| -> Result<_, store::Error> {
            let owners = payees::list(tx, None, scope.as_deref(), after.as_deref(), limit)?;
            let owners = Page::from_rows(owners, limit, |row| row.code.clone());
            let codes: Vec<&str> = owners.items.iter().map(|row| row.code.as_str()).collect();
            let found = ledger::balances_of(tx, &codes)?;
            Ok((owners, found))
        })
        .await?;
    if let (Some(payee), true) = (&payee, owners.items.is_empty()) {
        return Err(Problem::not_found("payee", payee).into());
    }
    Ok(answer::ok(&Page { items: views_of(found)?, next_cursor: owners.next_cursor }))
}

fn views_of(balances: Vec<Balance>) -> Result<Vec<BalanceView>, store::Error> {
    let mut views: BTreeMap<(String, String), BalanceView> = BTreeMap::new();
    for balance in balances {
        let zero = Money::zero(stored_currency(&balance.unit)?);
        let view = views.entry((balance.owner.clone(), balance.unit)).or_insert_with(|| BalanceView {
            payee: balance.owner,
            accrued: zero,
            payable: zero,
            expense: zero,
        });
        match balance.account.as_str() {
            ACCRUED => view.accrued.amount = balance.balance,
            PAYABLE => view.payable.amount = balance.balance,
            // Expense stands on the debit side, which the ledger counts as negative.
            EXPENSE => view.expense.amount = balance.balance.saturating_neg(),
            _ => {}
        }
    }
    Ok(views.into_values().collect())
}

/// A transfer between two accounts of a payee.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LedgerEntryView)]
pub struct EntryView {
    /// Its id.
    pub id: Uuid,
    /// The entry it belongs to: all transfers of one thing that happened to one order.
    pub entry_id: Uuid,
    /// Whose accounts.
    pub payee: String,
    /// The account it was taken from.
    pub debit: String,
    /// The account it was put into.
    pub credit: String,
    /// How much.
    pub amount: Money,
    /// Why: `accrue`, `earn`, `reverse` or `restore`.
    pub reason: String,
    /// What names it within the payee; the same thing is posted once.
    pub reference: String,
    /// The order it is about.
    #[schema(value_type = Option<Uuid>)]
    pub order_id: Option<OrderId>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was posted.
    pub recorded_at: Timestamp,
}

fn entry_view(entry: Entry) -> Result<EntryView, store::Error> {
    let order_id = entry.memo.get("order_id").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
    Ok(EntryView {
        id: entry.transfer_id,
        entry_id: entry.entry_id,
        amount: Money::new(entry.amount, stored_currency(&entry.unit)?),
        payee: entry.owner,
        debit: entry.debit_account,
        credit: entry.credit_account,
        reason: entry.reason,
        reference: entry.reference,
        order_id,
        occurred_at: entry.occurred_at.into(),
        recorded_at: entry.recorded_at.into(),
    })
}

/// Which entries to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesQuery {
    /// Whose.
    #[param(value_type = Option<String>)]
    payee: Option<PayeeCode>,
    /// On either side: `expense`, `accrued`, `payable`.
    account: Option<String>,
    /// Why.
    reason: Option<String>,
    /// In this currency.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// About this order.
    order_id: Option<Uuid>,
    /// Happened at or after.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Happened before.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List ledger entries by payee, oldest first
#[utoipa::path(get, path = "/v1/rebate/entries", tag = "rebate", params(EntriesQuery),
    responses((status = 200, body = Page<EntryView>)))]
pub async fn entries(
    state: Data<State>,
    query: Query<EntriesQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<EntryKey>(query.limit, query.cursor)?;
    let filter = EntryFilter {
        owners: payees_asked(&principal, query.payee.as_ref())?,
        account: query.account,
        unit: query.currency.map(|currency| currency.code().to_owned()),
        reason: query.reason,
        reference: None,
        memo: query.order_id.map(|order_id| serde_json::json!({ "order_id": order_id })),
        from: query.from,
        until: query.until,
    };
    let found = state.store.read("list_entries", move |tx| ledger::entries(tx, &filter, after.as_ref(), limit)).await?;
    let page = Page::from_rows(found, limit, Entry::key);
    let items = page.items.into_iter().map(entry_view).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page { items, next_cursor: page.next_cursor }))
}

/// An account over all payees.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrialLineView {
    /// The account.
    pub account: String,
    /// How many payees have it.
    pub payees: i64,
    /// What stands on the debit side.
    pub debit: Money,
    /// What stands on the credit side.
    pub credit: Money,
}

/// The trial balance, with its proof.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrialBalance {
    /// Every account, by currency.
    pub lines: Vec<TrialLineView>,
    /// Whether the two columns of every currency are equal and every balance is the sum of its transfers.
    pub balanced: bool,
    /// How many balances were proved.
    pub checked: i64,
    /// The accounts whose balance is not the sum of their transfers, as `payee/account/currency`.
    pub drift: Vec<String>,
}

/// The trial balance of the rebate ledger
///
/// For clients that see every payee. Each balance is computed again from its transfers.
#[utoipa::path(get, path = "/v1/rebate/trial-balance", tag = "rebate", responses((status = 200, body = TrialBalance)))]
pub async fn trial_balance(state: Data<State>, principal: Principal) -> Result<impl Responder, Failure> {
    if principal.payee_filter().is_some() {
        let detail = "the trial balance is over all payees, and the access token covers some";
        return Err(Problem::new(ProblemCode::Forbidden).detail(detail).into());
    }
    let (lines, proof) = state
        .store
        .read("trial_balance", |tx| Ok::<_, store::Error>((ledger::trial_balance(tx)?, ledger::proof(tx)?)))
        .await?;
    let drift = proof.drifts.iter().map(|drift| format!("{}/{}/{}", drift.owner, drift.account, drift.unit));
    let view = TrialBalance {
        lines: lines.into_iter().map(trial_line).collect::<Result<_, _>>()?,
        balanced: proof.holds(),
        checked: proof.checked(),
        drift: drift.collect(),
    };
    Ok(answer::ok(&view))
}

fn trial_line(line: TrialLine) -> Result<TrialLineView, store::Error> {
    let currency = stored_currency(&line.unit)?;
    Ok(TrialLineView {
        account: line.account,
        payees: line.owners,
        debit: Money::new(line.debit, currency),
        credit: Money::new(line.credit, currency),
    })
}
