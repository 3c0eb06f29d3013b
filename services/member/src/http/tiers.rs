//! A member's tier and what keeps it.

use actix_web::Responder;
use contracts::Problem;
use kernel::id::MemberId;
use kernel::{Money, Timestamp};
use serde::Serialize;
use store::Store;
use utoipa::ToSchema;
use web::{Data, Failure, Path, answer};

use crate::app::Desk;
use crate::app::read_standing::{MemberStanding, read_standing};

/// Where a member stands at this instant.
#[derive(Serialize, ToSchema)]
pub struct TierView {
    /// The tier's code.
    tier: String,
    /// Its name.
    name: String,
    /// Since when.
    since: Timestamp,
    /// When it is lost if nothing more is bought; absent if it never is.
    until: Option<Timestamp>,
    /// What must be bought, and become final, before `until` to keep it.
    to_keep: Option<Money>,
    /// What counts at the moment.
    qualifying_amount: Money,
    /// The next tier up.
    next: Option<NextTier>,
}

/// The next tier up.
#[derive(Serialize, ToSchema)]
pub struct NextTier {
    /// Its code.
    tier: String,
    /// Its name.
    name: String,
    /// What must count to reach it.
    from_amount: Money,
    /// What is missing.
    missing: Money,
}

impl From<MemberStanding> for TierView {
    fn from(standing: MemberStanding) -> Self {
        let MemberStanding { tier, since, until, qualifying, next } = standing;
        let money = |amount| Money::new(amount, qualifying.currency);
        let next = next.map(|next| NextTier {
            missing: money(next.from_amount.saturating_sub(qualifying.amount)),
            from_amount: money(next.from_amount),
            tier: next.code,
            name: next.name,
        });
        Self {
            tier: tier.code,
            name: tier.name,
            since,
            until: until.map(|(at, _)| at),
            to_keep: until.map(|(_, missing)| missing),
            qualifying_amount: qualifying,
            next,
        }
    }
}

/// Read a member's tier
#[utoipa::path(get, path = "/v1/members/{id}/tier", tag = "member",
    params(("id" = uuid::Uuid, Path, description = "The member")),
    responses((status = 200, body = TierView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, desk: Data<Desk>, path: Path<MemberId>) -> Result<impl Responder, Failure> {
    let member = path.into_inner();
    let standing = store.read("get_tier", move |tx| read_standing(tx, &desk, member)).await?;
    let standing = standing.ok_or_else(|| Problem::not_found("member", member))?;
    Ok(answer::ok(&TierView::from(standing)))
}
