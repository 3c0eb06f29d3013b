//! Linking and unlinking identities by hand.

use actix_web::Responder;
use contracts::Problem;
use contracts::events::Identity;
use contracts::requests::IdentityForm;
use kernel::id::MemberId;
use serde::Deserialize;
use service::{Answer, write};
use store::Store;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Json, Meta, Path, Query};

use super::members::{FindQuery, MemberSummary, summary};
use crate::app::Desk;
use crate::app::link_identity::{LinkCommand, LinkError, link_identity, unlink_identity};

/// An identity to be linked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// The identity.
    identity: IdentityForm,
    /// Why, as evidence. It must not hold personal data.
    reason: String,
}

/// Link an identity to a member
///
/// 409 if it belongs to another member; linking it again changes nothing. An identity of a weak type is only noted.
#[utoipa::path(post, path = "/v1/members/{id}/identities", tag = "member",
    params(("id" = uuid::Uuid, Path, description = "The member")), request_body = LinkBody,
    responses((status = 200, body = MemberSummary), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn link(
    store: Data<Store>,
    desk: Data<Desk>,
    path: Path<MemberId>,
    meta: Meta,
    body: Json<LinkBody>,
) -> Result<impl Responder, Failure> {
    let LinkBody { identity, reason } = body.into_inner();
    let command = command(path.into_inner(), identity.into(), reason, &meta);
    write(&meta, &store, "link_identity", move |tx| -> Result<Answer, LinkError> {
        link_identity(tx, &desk, &command)?;
        let view = summary(tx, command.member)?.ok_or(LinkError::NoMember(command.member))?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

/// Which identity to unlink.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnlinkQuery {
    /// `type:value`, as in `phone:13800138000`.
    identity: String,
    /// Who issued it, where that matters.
    issuer: Option<String>,
    /// Within what it is unique, where that matters.
    scope: Option<String>,
    /// Why, as evidence. It must not hold personal data.
    reason: String,
}

/// Unlink an identity from a member
///
/// Whoever shows it next becomes its member.
#[utoipa::path(delete, path = "/v1/members/{id}/identities", tag = "member",
    params(("id" = uuid::Uuid, Path, description = "The member"), UnlinkQuery),
    responses((status = 200, body = MemberSummary), (status = 404, body = Problem)))]
pub async fn unlink(
    store: Data<Store>,
    desk: Data<Desk>,
    path: Path<MemberId>,
    meta: Meta,
    query: Query<UnlinkQuery>,
) -> Result<impl Responder, Failure> {
    let UnlinkQuery { identity, issuer, scope, reason } = query.into_inner();
    let identity = FindQuery::new(identity, issuer, scope).identity()?;
    let command = command(path.into_inner(), identity, reason, &meta);
    write(&meta, &store, "unlink_identity", move |tx| -> Result<Answer, LinkError> {
        unlink_identity(tx, &desk, &command)?;
        let view = summary(tx, command.member)?.ok_or(LinkError::NoMember(command.member))?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

fn command(member: MemberId, identity: Identity, reason: String, meta: &Meta) -> LinkCommand {
    let reason = format!("{}: {reason}", meta.principal.client_id);
    LinkCommand { member, identity, reason, expected_version: meta.if_match, cause: meta.cause.clone() }
}
