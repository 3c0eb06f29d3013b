//! The rules that hold orders: written as documents, one of which judges.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::{Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Failure, Json, Meta, Path, Query, answer, json_schema, page};

use super::App;
use crate::app::caller::Caller;
use crate::app::change_hold_rules::{activate_hold_rules, add_hold_rules};
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::hold_lint::{Warning, lint};
use crate::domain::hold_rule::{HoldRule, HoldRules};
use crate::domain::state::HoldRulesStatus;
use crate::store::hold_rulesets::{self, Stored};

/// A version of the rules that hold orders.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldRulesView {
    /// Its version.
    version: i32,
    /// Where it stands.
    state: HoldRulesStatus,
    /// Who wrote it.
    author: String,
    /// When it was written.
    created_at: Timestamp,
    /// When it was last put in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<Timestamp>,
    /// Grows with every change of its state; also the ETag.
    revision: i64,
    /// The rules.
    rules: Vec<HoldRule>,
    /// What may not be meant so; not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

impl HoldRulesView {
    fn of(stored: &Stored) -> Result<Self, Error> {
        Ok(Self {
            version: stored.version,
            state: stored.state()?,
            author: stored.author.clone(),
            created_at: stored.created_at.into(),
            activated_at: stored.activated_at.map(Into::into),
            revision: stored.revision,
            rules: stored.rules()?.rules,
            warnings: Vec::new(),
        })
    }

    /// With what may not be meant so.
    fn linted(stored: &Stored) -> Result<Self, Error> {
        let warnings = lint(&stored.rules()?);
        Ok(Self { warnings, ..Self::of(stored)? })
    }
}

/// Add rules that hold orders
///
/// They are a draft, under the next version: they hold nothing until they are put in force. What is wrong with them is named at its
/// JSON path. Rules that can hold no order, or whose orders another rule holds anyway, are taken all the same, and `warnings`
/// say so.
#[utoipa::path(post, path = "/v1/order-hold-rules", tag = "order", request_body = HoldRules,
    responses((status = 201, body = HoldRulesView), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn post(app: Data<App>, meta: Meta, body: Json<HoldRules>) -> Result<HttpResponse, Failure> {
    let rules = body.into_inner();
    let mut faults = Faults::default();
    rules.check(&mut faults);
    faults.into_result().map_err(Refusal::Invalid)?;
    let caller = Caller::of(&meta);
    write(&meta, &app.store, "add_hold_rules", move |tx| -> Result<service::Answer, Error> {
        let stored = add_hold_rules(tx, &rules, &caller)?;
        let resource = format!("/v1/order-hold-rules/{}", stored.version);
        service::Answer::created(&HoldRulesView::linted(&stored)?, stored.revision, resource)
    })
    .await
}

/// Which versions to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HoldRulesQuery {
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List versions of the rules that hold orders, the newest first
#[utoipa::path(get, path = "/v1/order-hold-rules", tag = "order", params(HoldRulesQuery),
    responses((status = 200, body = Page<HoldRulesView>)))]
pub async fn list(app: Data<App>, query: Query<HoldRulesQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, below) = page::<i32>(query.limit, query.cursor)?;
    let read = move |tx: &mut store::Tx<'_>| hold_rulesets::list(tx, below, limit.saturating_add(1));
    let rows = app.store.read("list_hold_rules", read).await?;
    let views = rows.iter().map(HoldRulesView::of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.version)))
}

/// Read a version of the rules that hold orders
#[utoipa::path(get, path = "/v1/order-hold-rules/{version}", tag = "order",
    params(("version" = i32, Path, description = "The version")),
    responses((status = 200, body = HoldRulesView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, path: Path<i32>) -> Answer {
    let version = path.into_inner();
    let stored = app.store.read("get_hold_rules", move |tx| hold_rulesets::get(tx, version)).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("version of the rules", version))?;
    Ok(answer::versioned(&HoldRulesView::linted(&stored)?, stored.revision))
}

/// Put a version of the rules in force
///
/// The one in force until then is retired. Every process judges by the new one from the next order on. To go back, activate the
/// former version; to hold nothing, one without rules.
#[utoipa::path(post, path = "/v1/order-hold-rules/{version}/activate", tag = "order",
    params(("version" = i32, Path, description = "The version")),
    responses((status = 200, body = HoldRulesView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn activate(app: Data<App>, meta: Meta, path: Path<i32>) -> Result<HttpResponse, Failure> {
    let (version, caller) = (path.into_inner(), Caller::of(&meta));
    write(&meta, &app.store, "activate_hold_rules", move |tx| -> Result<service::Answer, Refusal> {
        let stored = activate_hold_rules(tx, version, &caller)?;
        Ok(service::Answer::ok(&HoldRulesView::linted(&stored)?, stored.revision)?)
    })
    .await
}

/// The JSON Schema of the rules that hold orders
///
/// JSON Schema 2020-12, for editors and for checks before rules are sent.
#[utoipa::path(get, path = "/v1/order-hold-rules/schema", tag = "order",
    responses((status = 200, body = serde_json::Value)))]
pub async fn schema() -> Answer {
    Ok(answer::ok(&json_schema::<HoldRules>("Rules that hold orders").map_err(Error::from)?))
}
