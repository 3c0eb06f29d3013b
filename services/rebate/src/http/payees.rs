//! Payees.

use actix_web::Responder;
use contracts::Problem;
use kernel::{Page, PayeeCode};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::{State, payees_asked};
use crate::app::put_payee::{Error, PutPayee, put_payee};
use crate::domain::party::{PayeeKind, PayeeStatus};
use crate::store::payees::{self, PayeeRow};

/// A payee as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayeeBody {
    /// Its name, at most 200 characters.
    pub name: String,
    /// What it is.
    pub kind: PayeeKind,
    /// Whether it may earn; active, when left out.
    #[serde(default = "active")]
    pub status: PayeeStatus,
}

fn active() -> PayeeStatus {
    PayeeStatus::Active
}

/// A payee as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayeeView {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it is.
    #[schema(value_type = PayeeKind)]
    pub kind: String,
    /// Whether it may earn.
    #[schema(value_type = PayeeStatus)]
    pub status: String,
    /// Grows with every change; also the ETag.
    pub version: i64,
}

impl From<PayeeRow> for PayeeView {
    fn from(row: PayeeRow) -> Self {
        Self { code: row.code, name: row.name, kind: row.kind, status: row.status, version: row.version }
    }
}

/// Register a payee, or change one
///
/// A store's payee has the store's code, unless another payee is bound to earn for that store.
#[utoipa::path(put, path = "/v1/payees/{code}", tag = "rebate", request_body = PayeeBody,
    params(("code" = String, Path, description = "The payee's code")),
    responses((status = 200, body = PayeeView), (status = 201, body = PayeeView), (status = 422, body = Problem)))]
pub async fn put(
    state: Data<State>,
    path: Path<PayeeCode>,
    meta: Meta,
    body: Json<PayeeBody>,
) -> Result<impl Responder, Failure> {
    let (code, body) = (path.into_inner(), body.into_inner());
    meta.principal.require_payee(&code)?;
    let command =
        PutPayee { code, name: body.name, kind: body.kind, status: body.status, expected_version: meta.if_match };
    write(&meta, &state.store, "put_payee", move |tx| -> Result<Answer, Error> {
        let row = put_payee(tx, &command)?;
        let version = row.version;
        let location = format!("/v1/payees/{}", row.code);
        let view = PayeeView::from(row);
        Ok(if version == 1 { Answer::created(&view, version, location)? } else { Answer::ok(&view, version)? })
    })
    .await
}

/// Read a payee
#[utoipa::path(get, path = "/v1/payees/{code}", tag = "rebate",
    params(("code" = String, Path, description = "The payee's code")),
    responses((status = 200, body = PayeeView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, path: Path<PayeeCode>, principal: Principal) -> Result<impl Responder, Failure> {
    let code = path.into_inner();
    principal.require_payee(&code)?;
    let wanted = code.clone();
    let found = state.store.read("get_payee", move |tx| payees::find(tx, wanted.as_str())).await?;
    let row = found.ok_or_else(|| Problem::not_found("payee", &code))?;
    let version = row.version;
    Ok(answer::versioned(&PayeeView::from(row), version))
}

/// Which payees to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// What they are.
    kind: Option<PayeeKind>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List payees in the order of their codes
#[utoipa::path(get, path = "/v1/payees", tag = "rebate", params(ListQuery),
    responses((status = 200, body = Page<PayeeView>)))]
pub async fn list(
    state: Data<State>,
    query: Query<ListQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let ListQuery { kind, limit, cursor } = query.into_inner();
    let (limit, after) = page::<String>(limit, cursor)?;
    let scope = payees_asked(&principal, None)?;
    let kind = kind.map(PayeeKind::as_str);
    let rows = state
        .store
        .read("list_payees", move |tx| payees::list(tx, kind, scope.as_deref(), after.as_deref(), limit))
        .await?;
    let views: Vec<PayeeView> = rows.into_iter().map(PayeeView::from).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.code.clone())))
}
