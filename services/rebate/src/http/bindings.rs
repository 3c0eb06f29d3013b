//! Bindings: who holds a role for a member, a store or a location, and when.

use actix_web::Responder;
use contracts::Problem;
use kernel::{Page, PayeeCode, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Principal, Query, answer, page};

use super::{State, payees_asked};
use crate::app::bind::{Bind, Error, bind};
use crate::domain::party::{BindingRole, SubjectKind};
use crate::store::bindings::{self, BindingFilter, BindingRow};

/// What a payee is bound to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A member, a store or a location.
    pub kind: SubjectKind,
    /// The member's id, or the store's or location's code.
    pub key: String,
}

/// A binding as it is made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingBody {
    /// The role: `guide` and `service_store` of a member, `performance_store` and `dealer` of a member, store or location.
    pub role: BindingRole,
    /// What the payee is bound to.
    pub subject: Subject,
    /// Who holds the role.
    pub payee: PayeeCode,
    /// From when; now, when left out. Whoever held the role until then hands over.
    pub from: Option<Timestamp>,
    /// Until when; open, when left out.
    pub until: Option<Timestamp>,
    /// Until when it cannot be handed over to another payee.
    pub protected_until: Option<Timestamp>,
    /// What it rests on, at most 1,000 characters.
    pub evidence: Option<String>,
}

/// A binding as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BindingView {
    /// Its id.
    pub id: Uuid,
    /// The role.
    #[schema(value_type = BindingRole)]
    pub role: String,
    /// What the payee is bound to.
    pub subject: Subject,
    /// Who holds the role.
    pub payee: String,
    /// From when.
    pub from: Timestamp,
    /// Until when, if it ends.
    pub until: Option<Timestamp>,
    /// Until when it cannot be handed over.
    pub protected_until: Option<Timestamp>,
    /// What it rests on.
    pub evidence: Option<String>,
    /// Which client made it.
    pub created_by: String,
}

fn view_of(row: BindingRow) -> Result<BindingView, store::Error> {
    let kind = SubjectKind::from_word(&row.subject_kind)
        .ok_or(store::Error::Broken("a binding's subject is of a kind that CHECK allows"))?;
    Ok(BindingView {
        id: row.binding_id,
        role: row.role,
        subject: Subject { kind, key: row.subject },
        payee: row.payee,
        from: row.from_at.into(),
        until: row.until_at.map(Into::into),
        protected_until: row.protected_until.map(Into::into),
        evidence: row.evidence,
        created_by: row.created_by,
    })
}

/// Bind a payee to a member, store or location
///
/// Stretches of one role and subject do not overlap: the open one ends where the new one begins. A performance store is
/// bound once and does not change. The same binding again is answered as it stands.
#[utoipa::path(post, path = "/v1/bindings", tag = "rebate", request_body = BindingBody,
    responses((status = 201, body = BindingView), (status = 200, body = BindingView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<BindingBody>) -> Result<impl Responder, Failure> {
    let body = body.into_inner();
    meta.principal.require_payee(&body.payee)?;
    let command = Bind {
        role: body.role,
        subject_kind: body.subject.kind,
        subject: body.subject.key,
        payee: body.payee,
        from: body.from,
        until: body.until,
        protected_until: body.protected_until,
        evidence: body.evidence,
        created_by: meta.principal.client_id.clone(),
    };
    write(&meta, &state.store, "bind", move |tx| -> Result<Answer, Error> {
        let (row, new) = bind(tx, &command)?;
        let location = format!("/v1/bindings?payee={}", row.payee);
        let view = view_of(row)?;
        Ok(if new { Answer::created(&view, None, location)? } else { Answer::ok(&view, None)? })
    })
    .await
}

/// Which bindings to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Held by.
    #[param(value_type = Option<String>)]
    payee: Option<PayeeCode>,
    /// In this role.
    role: Option<BindingRole>,
    /// Bound to what.
    subject_kind: Option<SubjectKind>,
    /// Its id or code.
    subject: Option<String>,
    /// In force at this instant.
    #[param(value_type = Option<String>)]
    at: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List bindings in the order they were made
#[utoipa::path(get, path = "/v1/bindings", tag = "rebate", params(ListQuery),
    responses((status = 200, body = Page<BindingView>)))]
pub async fn list(
    state: Data<State>,
    query: Query<ListQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<Uuid>(query.limit, query.cursor)?;
    let filter = BindingFilter {
        payees: payees_asked(&principal, query.payee.as_ref())?,
        role: query.role.map(|role| role.as_str().to_owned()),
        subject_kind: query.subject_kind.map(|kind| kind.as_str().to_owned()),
        subject: query.subject,
        at: query.at.map(Timestamp::utc),
    };
    let rows = state.store.read("list_bindings", move |tx| bindings::list(tx, &filter, after, limit)).await?;
    let views = rows.into_iter().map(view_of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}
