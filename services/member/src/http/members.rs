//! Members: found, registered, read, changed.

use actix_web::Responder;
use contracts::events::Identity;
use contracts::requests::IdentityForm;
use contracts::{Problem, ProblemCode};
use kernel::Timestamp;
use kernel::id::MemberId;
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::{Error, Store, Tx};
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Json, Meta, Path, Query, answer};

use super::points::PointsView;
use crate::app::Desk;
use crate::app::books::read_account;
use crate::app::change_profile::{ProfileChange, ProfileError, change_profile};
use crate::app::profile::Profile;
use crate::app::register_member::{Enquiry, EnquiryError, register_member};
use crate::store::{identities, members};

/// Somebody to be registered, unless they are known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// Everything they are known by, at most 50; at least one identity must prove who they are.
    identities: Vec<IdentityForm>,
    /// Their profile, if they turn out to be new.
    #[serde(default)]
    profile: Profile,
}

/// Somebody to be found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// Everything they are known by, at most 50; at least one identity must prove who they are.
    identities: Vec<IdentityForm>,
    /// Whether they are registered, and their new identities linked, if nobody is found.
    #[serde(default)]
    create: bool,
}

/// A member without personal data, as writes answer it: such an answer is kept for the idempotency key.
#[derive(Serialize, ToSchema)]
pub struct MemberSummary {
    /// The member.
    #[schema(value_type = uuid::Uuid)]
    pub id: MemberId,
    /// When they were registered.
    pub registered_at: Timestamp,
    /// Their tier.
    pub tier: String,
    /// Grows with every change of profile or identities; also the ETag.
    pub version: i64,
}

/// A member with everything known about them.
#[derive(Serialize, ToSchema)]
pub struct MemberView {
    #[serde(flatten)]
    summary: MemberSummary,
    /// The profile.
    profile: Profile,
    /// The identities, the first linked first.
    identities: Vec<LinkedIdentity>,
    /// The points.
    points: PointsView,
}

/// An identity of a member.
#[derive(Serialize, ToSchema)]
pub struct LinkedIdentity {
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Its value.
    value: String,
    /// Who issued it, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// Within what it is unique, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Since when it is the member's.
    linked_at: Timestamp,
}

/// A member without personal data.
pub fn summary(tx: &mut Tx<'_>, member: MemberId) -> Result<Option<MemberSummary>, Error> {
    let row = members::get(tx, member.uuid())?;
    Ok(row.map(|row| MemberSummary {
        id: member,
        registered_at: Timestamp::new(row.registered_at),
        tier: row.tier,
        version: row.version,
    }))
}

fn view(tx: &mut Tx<'_>, desk: &Desk, member: MemberId) -> Result<Option<MemberView>, Error> {
    let Some(row) = members::get(tx, member.uuid())? else { return Ok(None) };
    let key = desk.vault.open_key(member, &row.data_key)?;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let mut linked = Vec::new();
    for identity in identities::of_member(tx, member)? {
        linked.push(LinkedIdentity {
            kind: identity.r#type,
            value: key.open(&identity.sealed_value, &identity.fingerprint)?,
            issuer: given(identity.issuer),
            scope: given(identity.scope),
            linked_at: Timestamp::new(identity.linked_at),
        });
    }
    let account = read_account(tx, member)?;
    Ok(Some(MemberView {
        profile: Profile::open(row.profile.as_deref(), &key)?,
        identities: linked,
        points: PointsView::new(&account),
        summary: MemberSummary {
            id: member,
            registered_at: Timestamp::new(row.registered_at),
            tier: row.tier,
            version: row.version,
        },
    }))
}

/// Register a member
///
/// Answers 201 with the new member, or 200 with the one that the identities already belong to. Identities that are new are
/// linked; where they belong to several members the strongest decides and a case is opened. The answer has no personal data.
#[utoipa::path(post, path = "/v1/members", tag = "member", request_body = RegisterBody,
    responses((status = 201, body = MemberSummary), (status = 200, body = MemberSummary), (status = 422, body = Problem)))]
pub async fn register(
    store: Data<Store>,
    desk: Data<Desk>,
    meta: Meta,
    body: Json<RegisterBody>,
) -> Result<impl Responder, Failure> {
    let RegisterBody { identities, profile } = body.into_inner();
    enquire(&store, desk, &meta, (identities, profile, true)).await
}

/// Find a member by identities
///
/// With `create` it registers as `POST /v1/members` does; without, nothing is changed and an unknown person is a 404.
#[utoipa::path(post, path = "/v1/members/resolve", tag = "member", request_body = ResolveBody,
    responses((status = 200, body = MemberSummary), (status = 201, body = MemberSummary), (status = 404, body = Problem)))]
pub async fn resolve(
    store: Data<Store>,
    desk: Data<Desk>,
    meta: Meta,
    body: Json<ResolveBody>,
) -> Result<impl Responder, Failure> {
    let ResolveBody { identities, create } = body.into_inner();
    enquire(&store, desk, &meta, (identities, Profile::default(), create)).await
}

async fn enquire(
    store: &Store,
    desk: Data<Desk>,
    meta: &Meta,
    (identities, profile, register): (Vec<IdentityForm>, Profile, bool),
) -> Result<impl Responder + use<>, Failure> {
    let (client, cause) = (meta.principal.client_id.clone(), meta.cause.clone());
    let identities = identities.into_iter().map(Identity::from).collect();
    let enquiry = Enquiry { identities, profile, register, client, cause };
    write(meta, store, "resolve_member", move |tx| -> Result<Answer, EnquiryError> {
        let (member, new) = register_member(tx, &desk, &enquiry)?;
        let view = summary(tx, member)?.ok_or(Error::Broken("a resolved member exists"))?;
        let version = view.version;
        if new {
            return Ok(Answer::created(&view, version, format!("/v1/members/{member}"))?);
        }
        Ok(Answer::ok(&view, version)?)
    })
    .await
}

/// Whom to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindQuery {
    /// `type:value`, as in `phone:13800138000`.
    identity: String,
    /// Who issued the identity, where that matters.
    issuer: Option<String>,
    /// Within what the identity is unique, where that matters.
    scope: Option<String>,
}

impl FindQuery {
    /// A query from its parts.
    pub const fn new(identity: String, issuer: Option<String>, scope: Option<String>) -> Self {
        Self { identity, issuer, scope }
    }

    /// The identity that `type:value` names.
    pub fn identity(self) -> Result<Identity, Problem> {
        let (kind, value) = self
            .identity
            .split_once(':')
            .ok_or_else(|| Problem::new(ProblemCode::Malformed).field("identity", "is written as type:value"))?;
        let (kind, value) = (kind.to_owned(), value.to_owned());
        Ok(Identity { kind, value, issuer: self.issuer, scope: self.scope })
    }
}

/// The members that have an identity: one or none.
#[derive(Serialize, ToSchema)]
pub struct MemberList {
    /// The member, if there is one.
    items: Vec<MemberView>,
    /// Always absent: there is one page.
    next_cursor: Option<String>,
}

/// Find a member by one identity
#[utoipa::path(get, path = "/v1/members", tag = "member", params(FindQuery),
    responses((status = 200, body = MemberList), (status = 422, body = Problem)))]
pub async fn find(store: Data<Store>, desk: Data<Desk>, query: Query<FindQuery>) -> Result<impl Responder, Failure> {
    let identity = query.into_inner().identity()?;
    let identity = crate::domain::identity::normalise(&identity, desk.region)
        .map_err(|error| Problem::invalid("identity", error.to_string()))?;
    let fingerprint = desk.vault.fingerprint(&identity);
    let found = store.read("find_member", move |tx| {
        let holder = identities::holders(tx, &[fingerprint])?.pop();
        holder.map_or(Ok(None), |(_, member)| view(tx, &desk, member))
    });
    let items = found.await?.into_iter().collect();
    Ok(answer::ok(&MemberList { items, next_cursor: None }))
}

/// Read a member
#[utoipa::path(get, path = "/v1/members/{id}", tag = "member", params(("id" = uuid::Uuid, Path, description = "The member")),
    responses((status = 200, body = MemberView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, desk: Data<Desk>, path: Path<MemberId>) -> Result<impl Responder, Failure> {
    let member = path.into_inner();
    let found = store.read("get_member", move |tx| view(tx, &desk, member)).await?;
    let view = found.ok_or_else(|| Problem::not_found("member", member))?;
    Ok(answer::versioned(&view, view.summary.version))
}

/// Change a member's profile
///
/// A field that is left out stays as it is, one that is null goes. With `If-Match`, only that version is changed.
#[utoipa::path(patch, path = "/v1/members/{id}", tag = "member", params(("id" = uuid::Uuid, Path, description = "The member")),
    request_body = ProfileChange,
    responses((status = 200, body = MemberSummary), (status = 404, body = Problem), (status = 412, body = Problem)))]
pub async fn change(
    store: Data<Store>,
    desk: Data<Desk>,
    path: Path<MemberId>,
    meta: Meta,
    body: Json<ProfileChange>,
) -> Result<impl Responder, Failure> {
    let (member, change, expected) = (path.into_inner(), body.into_inner(), meta.if_match);
    write(&meta, &store, "change_profile", move |tx| -> Result<Answer, ProfileError> {
        change_profile(tx, &desk, member, &change, expected)?;
        let view = summary(tx, member)?.ok_or(ProfileError::NoMember(member))?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}
