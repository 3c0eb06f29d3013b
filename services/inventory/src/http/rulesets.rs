//! Rulesets of sourcing: written, looked through, put to use.

use actix_web::Responder;
use contracts::{Problem, ProblemCode};
use kernel::{Page, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Failure, Json, Meta, Path, Query, answer, json_schema, page};

use super::State;
use crate::app::change_rulesets::{Refusal, add_ruleset, use_ruleset};
use crate::domain::ruleset::EXAMPLES;
use crate::domain::ruleset::lint::{Finding, lint};
use crate::domain::ruleset::state::State as RulesetState;
use crate::domain::{Atlas, Rules};
use crate::store::locations;
use crate::store::rulesets::{self, Stored};

/// A ruleset.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesetView {
    /// Its version.
    version: i32,
    /// Where it stands.
    state: RulesetState,
    /// Its content hash, which decisions name beside the version.
    hash: String,
    /// Who wrote it.
    author: String,
    /// When it was written.
    created_at: Timestamp,
    /// When it was last put in force.
    activated_at: Option<Timestamp>,
    /// Grows with every change of its state; also the ETag.
    revision: i64,
    /// The document.
    rules: Rules,
}

impl RulesetView {
    fn new(stored: &Stored) -> Result<Self, Error> {
        let ruleset = stored.ruleset()?;
        Ok(Self {
            version: stored.version,
            state: stored.state()?,
            hash: ruleset.id().hash.clone(),
            author: stored.author.clone(),
            created_at: stored.created_at.into(),
            activated_at: stored.activated_at.map(Timestamp::from),
            revision: stored.revision,
            rules: ruleset.rules().clone(),
        })
    }
}

/// The document, or everything that is wrong with it, each at its path.
pub(super) fn read_rules(document: Value) -> Result<Rules, Problem> {
    let rules: Rules = serde_path_to_error::deserialize(document).map_err(|error| {
        let detail = error.inner().to_string();
        Problem::invalid(error.path().to_string().trim_start_matches('.'), detail)
    })?;
    let faults = rules.faults();
    if faults.is_empty() {
        return Ok(rules);
    }
    let problem = Problem::new(ProblemCode::InvalidField);
    Err(faults.into_iter().fold(problem, |problem, fault| problem.field(fault.path, fault.message)))
}

/// Add a ruleset
///
/// It is a draft: it decides nothing until it is put to use. What is wrong with it is named at its JSON path.
#[utoipa::path(post, path = "/v1/sourcing/rulesets", tag = "inventory", request_body = Rules,
    responses((status = 201, body = RulesetView), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<Value>) -> Result<impl Responder, Failure> {
    let rules = read_rules(body.into_inner())?;
    let author = meta.principal.client_id.to_string();
    write(&meta, &state.store, "add_ruleset", move |tx| -> Result<service::Answer, Error> {
        let stored = add_ruleset(tx, &rules, &author)?;
        let resource = format!("/v1/sourcing/rulesets/{}", stored.version);
        service::Answer::created(&RulesetView::new(&stored)?, stored.revision, resource)
    })
    .await
}

/// Which rulesets to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RulesetsQuery {
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List rulesets, the newest first
#[utoipa::path(get, path = "/v1/sourcing/rulesets", tag = "inventory", params(RulesetsQuery),
    responses((status = 200, body = Page<RulesetView>)))]
pub async fn list(state: Data<State>, query: Query<RulesetsQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, below) = page::<i32>(query.limit, query.cursor)?;
    let rows = state.store.read("list_rulesets", move |tx| rulesets::list(tx, below, limit.saturating_add(1))).await?;
    let views = rows.iter().map(RulesetView::new).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view: &RulesetView| view.version)))
}

/// Read a ruleset
#[utoipa::path(get, path = "/v1/sourcing/rulesets/{version}", tag = "inventory",
    params(("version" = i32, Path, description = "The ruleset's version")),
    responses((status = 200, body = RulesetView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, path: Path<i32>) -> Answer {
    let version = path.into_inner();
    let stored = state.store.read("get_ruleset", move |tx| rulesets::get(tx, version)).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("ruleset", version))?;
    Ok(answer::versioned(&RulesetView::new(&stored)?, stored.revision))
}

/// Put a ruleset in force
///
/// The one in force until then is retired. Every process decides by the new one from its next decision on. To go back,
/// activate the former version.
#[utoipa::path(post, path = "/v1/sourcing/rulesets/{version}/activate", tag = "inventory",
    params(("version" = i32, Path, description = "The ruleset's version")),
    responses((status = 200, body = RulesetView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn activate(state: Data<State>, path: Path<i32>, meta: Meta) -> Result<impl Responder, Failure> {
    put_to_use(state, path, meta, RulesetState::Active).await
}

/// Mark a ruleset as shadow
///
/// At most one is; the shadow until then is retired. A shadow decides beside the one in force, without effect; its report says
/// what it would have decided.
#[utoipa::path(post, path = "/v1/sourcing/rulesets/{version}/shadow", tag = "inventory",
    params(("version" = i32, Path, description = "The ruleset's version")),
    responses((status = 200, body = RulesetView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn shadow(state: Data<State>, path: Path<i32>, meta: Meta) -> Result<impl Responder, Failure> {
    put_to_use(state, path, meta, RulesetState::Shadow).await
}

async fn put_to_use(
    state: Data<State>,
    path: Path<i32>,
    meta: Meta,
    next: RulesetState,
) -> Result<impl Responder, Failure> {
    let (version, if_match) = (path.into_inner(), meta.if_match);
    write(&meta, &state.store, "use_ruleset", move |tx| -> Result<service::Answer, Refusal> {
        let stored = use_ruleset(tx, version, next, if_match)?;
        Ok(service::Answer::ok(&RulesetView::new(&stored)?, stored.revision)?)
    })
    .await
}

/// What was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LintView {
    /// The findings, in the order of the document; none when nothing is to be said.
    findings: Vec<Finding>,
}

/// Look a ruleset through
///
/// Finds what can be used and still may not be meant so, given the locations there are: tiers that are never reached, a
/// last tier that is no catch-all, filters that match nothing, and locations that lack what the rules go by.
#[utoipa::path(post, path = "/v1/sourcing/rulesets/{version}/lint", tag = "inventory",
    params(("version" = i32, Path, description = "The ruleset's version")),
    responses((status = 200, body = LintView), (status = 404, body = Problem)))]
pub async fn check(state: Data<State>, path: Path<i32>) -> Answer {
    let version = path.into_inner();
    let (stored, sites) = state
        .store
        .read("lint_ruleset", move |tx| Ok::<_, Error>((rulesets::get(tx, version)?, locations::sites(tx)?)))
        .await?;
    let stored = stored.ok_or_else(|| Problem::not_found("ruleset", version))?;
    Ok(answer::ok(&LintView { findings: lint(&stored.rules()?, &Atlas::new(sites)) }))
}

/// The rulesets that are shipped
///
/// Copy one, change it, add it.
#[utoipa::path(get, path = "/v1/sourcing/rulesets/examples", tag = "inventory",
    responses((status = 200, body = Vec<Rules>)))]
pub async fn examples() -> Answer {
    let examples: Result<Vec<Value>, _> = EXAMPLES.iter().map(|(_, document)| serde_json::from_str(document)).collect();
    Ok(answer::ok(&examples.map_err(Error::from)?))
}

/// The JSON Schema of a ruleset
///
/// JSON Schema 2020-12, for editors and for checks before a ruleset is sent.
#[utoipa::path(get, path = "/v1/sourcing/rulesets/schema", tag = "inventory",
    responses((status = 200, body = serde_json::Value)))]
pub async fn schema() -> Answer {
    Ok(answer::ok(&json_schema::<Rules>("Ruleset of sourcing").map_err(Error::from)?))
}
