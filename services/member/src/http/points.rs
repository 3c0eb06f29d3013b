//! A member's points: what there is, how it came about, when it lapses; and points that are given.

use std::collections::BTreeMap;

use actix_web::Responder;
use contracts::Problem;
use kernel::id::{MemberId, OrderId};
use kernel::{Page, Timestamp};
use ledger::{Entry, EntryFilter, EntryKey};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::{Error, Store, Tx};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use super::PageQuery;
use crate::app::books::read_account;
use crate::app::grant_points::{GrantCommand, GrantError, grant_points};
use crate::domain::account::{Account, Lot};
use crate::store::proof::{Drift, drifts};
use crate::store::{members, points};

/// The most dates that are told on which points lapse; the lots tell all of them.
const MAX_EXPIRING: usize = 12;

/// A member's points as they are at this instant: what has lapsed is gone, whether or not it was booked yet.
#[derive(Serialize, ToSchema)]
pub struct PointsView {
    /// Spendable now.
    active: i64,
    /// Earned, spendable when the purchase is final.
    pending: i64,
    /// Set aside for a redemption.
    held: i64,
    /// Owed: what is earned next goes there first.
    arrears: i64,
    /// What lapses next, at most twelve dates.
    expiring: Vec<Expiring>,
    /// Grows with every change; also the ETag.
    version: i64,
}

/// Points that lapse together.
#[derive(Serialize, ToSchema)]
pub struct Expiring {
    /// How many.
    points: i64,
    /// When.
    expires_at: Timestamp,
}

impl PointsView {
    /// What an account holds.
    pub fn new(account: &Account) -> Self {
        let mut by_date: BTreeMap<Timestamp, i64> = BTreeMap::new();
        for lot in account.open_lots() {
            if let Some(at) = lot.expires_at {
                *by_date.entry(at).or_default() += lot.remaining;
            }
        }
        let expiring = |(expires_at, points)| Expiring { points, expires_at };
        let balances = account.balances();
        Self {
            active: balances.active,
            pending: balances.pending,
            held: balances.held,
            arrears: balances.arrears,
            expiring: by_date.into_iter().take(MAX_EXPIRING).map(expiring).collect(),
            version: account.version_before(),
        }
    }
}

/// Read a member's points
#[utoipa::path(get, path = "/v1/members/{id}/points", tag = "member",
    params(("id" = Uuid, Path, description = "The member")),
    responses((status = 200, body = PointsView), (status = 404, body = Problem)))]
pub async fn balances(store: Data<Store>, path: Path<MemberId>) -> Result<impl Responder, Failure> {
    let member = path.into_inner();
    let found = store.read("get_points", move |tx| -> Result<_, Error> {
        let Some(_) = members::get(tx, member.uuid())? else { return Ok(None) };
        Ok(Some(PointsView::new(&read_account(tx, member)?)))
    });
    let view = found.await?.ok_or_else(|| Problem::not_found("member", member))?;
    Ok(answer::versioned(&view, view.version))
}

/// A movement of points.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsEntryView)]
pub struct EntryView {
    /// Its id.
    id: Uuid,
    /// Where the points were: `pending`, `active`, `held`, `arrears`, or the house's `issued`, `spent`, `expired`.
    from: String,
    /// Where they went; `clawed` is where points go whose purchase was undone.
    to: String,
    /// How many.
    points: i64,
    /// Why: `earned`, `activated`, `granted`, `held`, `spent`, `released`, `spending_reversed`, `clawed_back`, `owed`,
    /// `clawback_undone`, `arrears_repaid`, `expired` or `lapse_undone`.
    reason: String,
    /// What moved them, as in `order:<id>/earned`.
    reference: String,
    /// What whoever moved them had to say.
    note: Option<String>,
    /// When the thing happened that moved them.
    occurred_at: Timestamp,
    /// When it was booked.
    recorded_at: Timestamp,
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.transfer_id,
            from: entry.debit_account.clone(),
            to: entry.credit_account.clone(),
            points: entry.amount,
            reason: entry.reason.clone(),
            reference: entry.reference.clone(),
            note: entry.memo.get("note").and_then(|note| note.as_str()).map(ToOwned::to_owned),
            occurred_at: Timestamp::new(entry.occurred_at),
            recorded_at: Timestamp::new(entry.recorded_at),
        }
    }
}

/// List the movements of a member's points in the order they were booked
#[utoipa::path(get, path = "/v1/members/{id}/points/entries", tag = "member",
    params(("id" = Uuid, Path, description = "The member"), PageQuery),
    responses((status = 200, body = Page<EntryView>), (status = 404, body = Problem)))]
pub async fn entries(
    store: Data<Store>,
    path: Path<MemberId>,
    query: Query<PageQuery>,
) -> Result<impl Responder, Failure> {
    let (member, PageQuery { limit, cursor }) = (path.into_inner(), query.into_inner());
    let (limit, after) = page::<Uuid>(limit, cursor)?;
    let found = store.read("list_points_entries", move |tx| -> Result<_, Error> {
        exists(tx, member)?.then(|| entries_page(tx, member, after, limit)).transpose()
    });
    let entries = found.await?.ok_or_else(|| Problem::not_found("member", member))?;
    Ok(answer::ok(&Page::from_rows(entries.iter().map(EntryView::from).collect(), limit, |entry| entry.id)))
}

fn entries_page(tx: &mut Tx<'_>, member: MemberId, after: Option<Uuid>, limit: i64) -> Result<Vec<Entry>, Error> {
    let owner = member.to_string();
    let after = after.map(|transfer_id| EntryKey { owner: owner.clone(), transfer_id });
    let filter = EntryFilter { owners: Some(vec![owner]), ..EntryFilter::default() };
    ledger::entries(tx, &filter, after.as_ref(), limit)
}

fn exists(tx: &mut Tx<'_>, member: MemberId) -> Result<bool, Error> {
    Ok(members::get(tx, member.uuid())?.is_some())
}

/// Points that became active together.
#[derive(Serialize, ToSchema)]
pub struct LotView {
    /// Its id.
    id: Uuid,
    /// The order, or the till's transaction, that earned it.
    #[schema(value_type = Option<Uuid>)]
    order_id: Option<OrderId>,
    /// The line of that order.
    line_no: Option<i32>,
    /// How many points arrived.
    points: i64,
    /// How many of them are active at this instant.
    remaining: i64,
    /// When they became active.
    active_since: Timestamp,
    /// When they lapse.
    expires_at: Option<Timestamp>,
}

impl LotView {
    fn at(lot: &Lot, now: Timestamp) -> Self {
        Self {
            id: lot.lot_id,
            order_id: lot.line.map(|(order, _)| order),
            line_no: lot.line.map(|(_, line_no)| line_no),
            points: lot.points,
            remaining: if lot.has_lapsed(now) { 0 } else { lot.remaining },
            active_since: lot.active_since,
            expires_at: lot.expires_at,
        }
    }
}

/// List a member's point lots in the order they came to be
#[utoipa::path(get, path = "/v1/members/{id}/points/lots", tag = "member",
    params(("id" = Uuid, Path, description = "The member"), PageQuery),
    responses((status = 200, body = Page<LotView>), (status = 404, body = Problem)))]
pub async fn lots(
    store: Data<Store>,
    path: Path<MemberId>,
    query: Query<PageQuery>,
) -> Result<impl Responder, Failure> {
    let (member, PageQuery { limit, cursor }) = (path.into_inner(), query.into_inner());
    let (limit, after) = page::<Uuid>(limit, cursor)?;
    let found = store.read("list_points_lots", move |tx| -> Result<_, Error> {
        exists(tx, member)?.then(|| points::lots_page(tx, member, after, limit)).transpose()
    });
    let lots = found.await?.ok_or_else(|| Problem::not_found("member", member))?;
    let now = store.now();
    let views = lots.iter().map(|lot| LotView::at(lot, now)).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |lot: &LotView| lot.id)))
}

/// Points to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// To whom.
    #[schema(value_type = Uuid)]
    member_id: MemberId,
    /// How many, at least 1.
    points: i64,
    /// Why. It must not hold personal data.
    reason: String,
    /// When they lapse; left out if never.
    expires_at: Option<Timestamp>,
}

/// Give points
///
/// What the member owes is repaid first, so that `remaining` may be less than `points`.
#[utoipa::path(post, path = "/v1/points/grants", tag = "member", request_body = GrantBody,
    responses((status = 201, body = LotView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn grant(store: Data<Store>, meta: Meta, body: Json<GrantBody>) -> Result<impl Responder, Failure> {
    let GrantBody { member_id: member, points, reason, expires_at } = body.into_inner();
    let command = GrantCommand { member, points, reason, expires_at, cause: meta.cause.clone() };
    write(&meta, &store, "grant_points", move |tx| -> Result<Answer, GrantError> {
        let lot = grant_points(tx, &command)?;
        let location = format!("/v1/members/{}/points/lots", command.member);
        Ok(Answer::created(&LotView::at(&lot, tx.now()), None, location)?)
    })
    .await
}

/// What a proof of the points found.
#[derive(Serialize, ToSchema)]
pub struct PointsProof {
    /// How many accounts were looked at.
    checked: i64,
    /// Accounts whose balance is not what their movements, lots or holds add up to.
    drift: Vec<PointsDrift>,
}

/// An account that drifted.
#[derive(Serialize, ToSchema)]
pub struct PointsDrift {
    /// Whose.
    owner: String,
    /// Which.
    account: String,
    /// What it says.
    balance: i64,
    /// What it should say.
    accounted: i64,
}

impl From<Drift> for PointsDrift {
    fn from(drift: Drift) -> Self {
        let Drift { owner, account, balance, accounted } = drift;
        Self { owner, account, balance, accounted }
    }
}

/// Prove the points
///
/// Recomputes every balance from its movements, and every member's active and held points from lots and holds.
#[utoipa::path(get, path = "/v1/points/proof", tag = "member", responses((status = 200, body = PointsProof)))]
pub async fn proof(store: Data<Store>) -> Result<impl Responder, Failure> {
    let found = store.read("prove_points", |tx| -> Result<_, Error> { Ok((ledger::proof(tx)?, drifts(tx)?)) });
    let (books, drifts) = found.await?;
    let checked = books.checked();
    let of_books = books.drifts.into_iter().map(|drift| PointsDrift {
        owner: drift.owner,
        account: drift.account,
        balance: drift.balance,
        accounted: drift.transferred,
    });
    let drift = of_books.chain(drifts.into_iter().map(PointsDrift::from)).collect();
    Ok(answer::ok(&PointsProof { checked, drift }))
}
