//! Policies: immutable versions, drafted by one hand and approved by another.

use actix_web::{HttpResponse, Responder};
use contracts::Problem;
use kernel::id::PolicyId;
use kernel::{Code, Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use super::State;
use crate::app::keep_policies::{Draft, Error, Move, draft_policy, draft_version, find_policy, move_policy};
use crate::domain::policy::{PolicyDocument, PolicyStatus};
use crate::store::policies::{self, PolicyRow};

/// A new policy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// Its code, the same for all its versions.
    #[schema(value_type = String)]
    pub code: Code,
    /// Its name, at most 200 characters.
    pub name: String,
    /// Its rules.
    pub document: PolicyDocument,
}

/// A new version of a policy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionBody {
    /// Its name, at most 200 characters.
    pub name: String,
    /// Its rules.
    pub document: PolicyDocument,
}

/// A policy version as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// The version's id.
    #[schema(value_type = Uuid)]
    pub id: PolicyId,
    /// The policy's code.
    pub code: String,
    /// Which version of it, counted from 1.
    pub version: i32,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: PolicyStatus,
    /// Its rules.
    pub document: PolicyDocument,
    /// Its maker.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its checker.
    pub approved_by: Option<String>,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// When it came into force.
    pub activated_at: Option<Timestamp>,
    /// When it went out of force.
    pub ended_at: Option<Timestamp>,
    /// Grows with every step; also the ETag.
    pub revision: i64,
}

/// A stored version as it is read.
pub(super) fn view_of(row: PolicyRow) -> Result<PolicyView, store::Error> {
    Ok(PolicyView {
        id: PolicyId(row.policy_id),
        status: row.standing()?,
        document: serde_json::from_value(row.document)?,
        code: row.code,
        version: row.version,
        name: row.name,
        created_by: row.created_by,
        created_at: row.created_at.into(),
        approved_by: row.approved_by,
        approved_at: row.approved_at.map(Into::into),
        activated_at: row.activated_at.map(Into::into),
        ended_at: row.ended_at.map(Into::into),
        revision: row.revision,
    })
}

/// Draft a policy
///
/// Version 1 of a new code. It earns nobody anything until another client has approved it and it is in force.
#[utoipa::path(post, path = "/v1/rebate/policies", tag = "rebate", request_body = PolicyBody,
    responses((status = 201, body = PolicyView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<PolicyBody>) -> Result<impl Responder, Failure> {
    let PolicyBody { code, name, document } = body.into_inner();
    let draft = Draft { name, document, created_by: meta.principal.client_id.clone() };
    write(&meta, &state.store, "draft_policy", move |tx| drafted(draft_policy(tx, &code, &draft)?)).await
}

/// Draft the next version of a policy
#[utoipa::path(post, path = "/v1/rebate/policies/{id}/versions", tag = "rebate", request_body = VersionBody,
    params(("id" = Uuid, Path, description = "Any version of the policy")),
    responses((status = 201, body = PolicyView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn post_version(
    state: Data<State>,
    path: Path<PolicyId>,
    meta: Meta,
    body: Json<VersionBody>,
) -> Result<impl Responder, Failure> {
    let (id, VersionBody { name, document }) = (path.into_inner(), body.into_inner());
    let draft = Draft { name, document, created_by: meta.principal.client_id.clone() };
    write(&meta, &state.store, "draft_policy_version", move |tx| drafted(draft_version(tx, id, &draft)?)).await
}

fn drafted(row: PolicyRow) -> Result<Answer, Error> {
    let location = format!("/v1/rebate/policies/{}", row.policy_id);
    let view = view_of(row)?;
    Ok(Answer::created(&view, view.revision, location)?)
}

/// Read a policy version
#[utoipa::path(get, path = "/v1/rebate/policies/{id}", tag = "rebate",
    params(("id" = Uuid, Path, description = "The version")),
    responses((status = 200, body = PolicyView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, path: Path<Uuid>) -> Result<impl Responder, Failure> {
    let id = path.into_inner();
    let view = view_of(state.store.read("get_policy", move |tx| find_policy(tx, id)).await?)?;
    Ok(answer::versioned(&view, view.revision))
}

/// Which policy versions to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this policy.
    code: Option<String>,
    /// Where they stand.
    status: Option<PolicyStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List policy versions by code and version
#[utoipa::path(get, path = "/v1/rebate/policies", tag = "rebate", params(ListQuery),
    responses((status = 200, body = Page<PolicyView>)))]
pub async fn list(state: Data<State>, query: Query<ListQuery>) -> Result<impl Responder, Failure> {
    let ListQuery { code, status, limit, cursor } = query.into_inner();
    let (limit, after) = page::<(String, i32)>(limit, cursor)?;
    let status = status.map(PolicyStatus::as_str);
    let rows = state
        .store
        .read("list_policies", move |tx| policies::list(tx, code.as_deref(), status, after.as_ref(), limit))
        .await?;
    let views = rows.into_iter().map(view_of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.code.clone(), view.version))))
}

/// Approve a policy version
///
/// By another client than the one that drafted it; otherwise 422 `refused_by_rule`.
#[utoipa::path(post, path = "/v1/rebate/policies/{id}/approve", tag = "rebate",
    params(("id" = Uuid, Path, description = "The version")),
    responses((status = 200, body = PolicyView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn approve(state: Data<State>, path: Path<PolicyId>, meta: Meta) -> Result<impl Responder, Failure> {
    step(state, path, meta, PolicyStatus::Approved).await
}

/// Bring an approved policy version into force
///
/// The version of the same policy that was in force ends.
#[utoipa::path(post, path = "/v1/rebate/policies/{id}/activate", tag = "rebate",
    params(("id" = Uuid, Path, description = "The version")),
    responses((status = 200, body = PolicyView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn activate(state: Data<State>, path: Path<PolicyId>, meta: Meta) -> Result<impl Responder, Failure> {
    step(state, path, meta, PolicyStatus::Active).await
}

/// End a policy version that is in force
#[utoipa::path(post, path = "/v1/rebate/policies/{id}/end", tag = "rebate",
    params(("id" = Uuid, Path, description = "The version")),
    responses((status = 200, body = PolicyView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn end(state: Data<State>, path: Path<PolicyId>, meta: Meta) -> Result<impl Responder, Failure> {
    step(state, path, meta, PolicyStatus::Ended).await
}

async fn step(state: Data<State>, path: Path<PolicyId>, meta: Meta, to: PolicyStatus) -> Result<HttpResponse, Failure> {
    let by = meta.principal.client_id.clone();
    let step = Move { policy_id: path.into_inner(), to, by, expected_revision: meta.if_match };
    write(&meta, &state.store, "move_policy", move |tx| -> Result<Answer, Error> {
        let view = view_of(move_policy(tx, &step)?)?;
        Ok(Answer::ok(&view, view.revision)?)
    })
    .await
}
