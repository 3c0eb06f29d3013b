//! Earning rules and tier programmes: documents with versions, of which the newest is in force.

use actix_web::{HttpResponse, Responder};
use contracts::Problem;
use kernel::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::{Answer, write};
use store::{Error, Store};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path, answer};

use crate::app::set_rule::{Rule, RuleError, set_rule};
use crate::domain::earning::EarningRule;
use crate::domain::tier::TierProgram;
use crate::store::rules;

/// The version of a rule that is in force.
#[derive(Serialize, ToSchema)]
pub struct RuleView<R> {
    /// Its name.
    code: Code,
    /// Counts up from 1; also the ETag.
    version: i64,
    #[serde(flatten)]
    rule: R,
}

/// Create an earning rule, or a new version of it
///
/// Orders earn by the version in force when they are heard of; what they have earned stays. With `If-Match`, only that
/// version is replaced. A channel has one rule, and one rule is for all channels that none names: a second is refused.
#[utoipa::path(put, path = "/v1/points/rules/{code}", tag = "member", params(("code" = String, Path, description = "The rule")),
    request_body = EarningRule,
    responses((status = 200, body = RuleView<EarningRule>), (status = 201, body = RuleView<EarningRule>), (status = 422, body = Problem)))]
pub async fn put_earning_rule(
    store: Data<Store>,
    path: Path<Code>,
    meta: Meta,
    body: Json<EarningRule>,
) -> Result<impl Responder, Failure> {
    put(&store, path.into_inner(), &meta, body.into_inner(), "/v1/points/rules").await
}

/// Read the earning rule in force
#[utoipa::path(get, path = "/v1/points/rules/{code}", tag = "member", params(("code" = String, Path, description = "The rule")),
    responses((status = 200, body = RuleView<EarningRule>), (status = 404, body = Problem)))]
pub async fn get_earning_rule(store: Data<Store>, path: Path<Code>) -> Result<impl Responder, Failure> {
    get::<EarningRule>(&store, path.into_inner(), "earning rule").await
}

/// Create a tier programme, or a new version of it
///
/// A member is judged by the new version whenever the tier is read or something counts towards it. With `If-Match`, only
/// that version is replaced.
#[utoipa::path(put, path = "/v1/tier-programs/{code}", tag = "member", params(("code" = String, Path, description = "The programme")),
    request_body = TierProgram,
    responses((status = 200, body = RuleView<TierProgram>), (status = 201, body = RuleView<TierProgram>), (status = 422, body = Problem)))]
pub async fn put_tier_program(
    store: Data<Store>,
    path: Path<Code>,
    meta: Meta,
    body: Json<TierProgram>,
) -> Result<impl Responder, Failure> {
    put(&store, path.into_inner(), &meta, body.into_inner(), "/v1/tier-programs").await
}

/// Read the tier programme in force
#[utoipa::path(get, path = "/v1/tier-programs/{code}", tag = "member", params(("code" = String, Path, description = "The programme")),
    responses((status = 200, body = RuleView<TierProgram>), (status = 404, body = Problem)))]
pub async fn get_tier_program(store: Data<Store>, path: Path<Code>) -> Result<impl Responder, Failure> {
    get::<TierProgram>(&store, path.into_inner(), "tier programme").await
}

async fn put<R: Rule + DeserializeOwned + Send + 'static>(
    store: &Store,
    code: Code,
    meta: &Meta,
    rule: R,
    place: &'static str,
) -> Result<HttpResponse, Failure> {
    let expected = meta.if_match;
    write(meta, store, "set_rule", move |tx| -> Result<Answer, RuleError> {
        let version = set_rule(tx, &code, &rule, expected)?;
        let location = format!("{place}/{code}");
        let view = RuleView { code, version, rule };
        if version == 1 {
            return Ok(Answer::created(&view, version, location)?);
        }
        Ok(Answer::ok(&view, version)?)
    })
    .await
}

async fn get<R: Rule + DeserializeOwned>(store: &Store, code: Code, what: &str) -> Result<HttpResponse, Failure> {
    let name = code.to_string();
    let found = store.read("get_rule", move |tx| rules::newest(tx, R::KIND, &name)).await?;
    let row = found.ok_or_else(|| Problem::not_found(what, &code))?;
    let rule: R = serde_json::from_value(row.document).map_err(Error::from)?;
    Ok(answer::versioned(&RuleView { code, version: row.version, rule }, row.version))
}
