//! Replays: what another ruleset would have decided on past orders.

use actix_web::Responder;
use contracts::{Problem, ProblemCode};
use kernel::id::uuid_at;
use kernel::{ChannelCode, Page, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::write;
use store::{Error, Tx};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, Scope, answer, page};

use super::State;
use super::comparison::WhatIfReport;
use super::rulesets::read_rules;
use crate::app::replay_orders::{Wanted, queue_replay};
use crate::domain::{Rules, Ruleset};
use crate::store::replays::{self, Stored};
use crate::store::rulesets;

/// The longest window: the season before the last is not what a ruleset is written for.
const MAX_DAYS: i64 = 92;
/// The most orders decided again, and the most first decisions in a window: some minutes of work.
const MAX_ORDERS: i64 = 1_000_000;
/// The most channels that are named.
const MAX_CHANNELS: usize = 100;
/// Replays that are kept once they have finished: a few weeks of trying things out.
const MAX_KEPT: i64 = 100;
/// Replays that wait for their turn; one runs at a time.
const MAX_WAITING: i64 = 10;

/// What is to be replayed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    /// The first instant of the window: orders that were first decided on from then on…
    from: Timestamp,
    /// …and before this instant, at most 92 days later and not in the future.
    until: Timestamp,
    /// The candidate: the version of a ruleset, or a ruleset as it would be written.
    #[schema(value_type = Object)]
    ruleset: Value,
    /// Only orders of these channels are decided again; the others keep what they got. All that the client may see, when
    /// left out.
    #[schema(value_type = Option<Vec<String>>)]
    channels: Option<Vec<ChannelCode>>,
    /// At most so many orders are decided again, the earliest; at most 1,000,000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    limit: Option<i64>,
}

/// How far a replay has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayProgress {
    /// First decisions in the window.
    decisions: i64,
    /// Of them read.
    read: i64,
    /// Of those decided again.
    replayed: i64,
}

/// A replay.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// Its id.
    id: Uuid,
    /// `queued`, `running`, `done` or `failed`.
    status: String,
    /// The first instant of the window.
    from: Timestamp,
    /// The first instant after it.
    until: Timestamp,
    /// The channels whose orders are decided again; absent when all are.
    channels: Option<Vec<String>>,
    /// At most so many orders.
    limit: i64,
    /// The version of the candidate; absent when it came with the request.
    ruleset: Option<i32>,
    /// The candidate's content hash.
    ruleset_hash: String,
    /// How far it has come.
    progress: ReplayProgress,
    /// Who asked for it.
    created_by: String,
    /// When.
    created_at: Timestamp,
    /// When it last came further.
    changed_at: Timestamp,
    /// Why it failed.
    error: Option<String>,
    /// What it found, once it is done; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<WhatIfReport>,
}

impl ReplayView {
    fn new(stored: &Stored) -> Result<Self, Error> {
        Ok(Self {
            id: stored.id,
            status: stored.status.clone(),
            from: stored.since.into(),
            until: stored.until.into(),
            channels: stored.channels.clone(),
            limit: stored.most,
            ruleset: stored.version,
            ruleset_hash: stored.ruleset()?.id().hash.clone(),
            progress: ReplayProgress { decisions: stored.decisions, read: stored.read, replayed: stored.replayed },
            created_by: stored.author.clone(),
            created_at: stored.created_at.into(),
            changed_at: stored.changed_at.into(),
            error: stored.error.clone(),
            report: None,
        })
    }
}

/// The candidate: a stored version, or a document.
#[derive(Clone, Debug)]
enum Candidate {
    Version(i32),
    Document(Box<Rules>),
}

fn read_candidate(ruleset: Value) -> Result<Candidate, Problem> {
    match ruleset {
        Value::Object(_) => {
            read_rules(ruleset).map(|rules| Candidate::Document(Box::new(rules))).map_err(|mut problem| {
                for fault in &mut problem.errors {
                    fault.field = format!("ruleset.{}", fault.field);
                }
                problem
            })
        }
        _ => {
            let version = ruleset.as_i64().and_then(|version| i32::try_from(version).ok());
            let version = version.ok_or_else(|| Problem::invalid("ruleset", "is a version or a ruleset"))?;
            Ok(Candidate::Version(version))
        }
    }
}

/// The channels of a replay: those that are named, or those that the client is bound to.
fn channels_asked(principal: &Principal, channels: Option<Vec<ChannelCode>>) -> Result<Option<Vec<String>>, Problem> {
    let Some(channels) = channels else { return Ok(principal.channel_filter()) };
    if !(1..=MAX_CHANNELS).contains(&channels.len()) {
        return Err(Problem::invalid("channels", format!("names 1 to {MAX_CHANNELS} channels")));
    }
    channels.iter().try_for_each(|channel| principal.require_channel(channel))?;
    Ok(Some(channels.iter().map(ToString::to_string).collect()))
}

fn check(body: &ReplayBody, now: Timestamp) -> Result<(), Problem> {
    if body.until <= body.from || body.until > body.from.plus_seconds(MAX_DAYS.saturating_mul(86_400)) {
        return Err(Problem::invalid("until", format!("lies after from, at most {MAX_DAYS} days")));
    }
    if body.until > now {
        return Err(Problem::invalid("until", "does not lie in the future"));
    }
    if body.limit.is_some_and(|limit| !(1..=MAX_ORDERS).contains(&limit)) {
        return Err(Problem::invalid("limit", format!("lies between 1 and {MAX_ORDERS}")));
    }
    Ok(())
}

fn queue(tx: &mut Tx<'_>, mut wanted: Wanted, candidate: &Candidate, named: bool) -> Result<service::Answer, Problem> {
    match candidate {
        Candidate::Version(version) => {
            let stored = rulesets::get(tx, *version)?.ok_or_else(|| Problem::not_found("ruleset", version))?;
            (wanted.version, wanted.document) = (Some(*version), stored.document);
        }
        Candidate::Document(rules) => wanted.document = rules.document().map_err(Error::from)?,
    }
    let decisions = replays::count(tx, wanted.since, wanted.until, MAX_ORDERS.saturating_add(1))?;
    if decisions > MAX_ORDERS && !named {
        let detail =
            format!("more than {MAX_ORDERS} orders were decided on in this window: shorten it, or name a limit");
        return Err(Problem::invalid("until", detail));
    }
    if replays::waiting(tx)? >= MAX_WAITING {
        let detail = format!("{MAX_WAITING} replays wait for their turn");
        return Err(Problem::new(ProblemCode::RateLimited).detail(detail));
    }
    let id = uuid_at(tx.now());
    queue_replay(tx, id, wanted, (decisions, MAX_KEPT))?;
    let stored = replays::get(tx, id)?.ok_or(Error::Broken("a replay that was added is there"))?;
    let location = Some(format!("/v1/sourcing/replays/{id}"));
    Ok(service::Answer { location, ..service::Answer::accepted(&ReplayView::new(&stored)?, None)? })
}

/// Replay past orders by another ruleset
///
/// Every order that was first decided on within the window is decided on again by the candidate, on the stock there was,
/// and the decisions are compared with those that were made. Nothing is reserved and nothing is told. It runs in the
/// background, one replay at a time; read it until it is done.
#[utoipa::path(post, path = "/v1/sourcing/replays", tag = "inventory", request_body = ReplayBody,
    responses((status = 202, body = ReplayView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<ReplayBody>) -> Result<impl Responder, Failure> {
    let body = body.into_inner();
    check(&body, state.store.now())?;
    let wanted = Wanted {
        since: body.from,
        until: body.until,
        channels: channels_asked(&meta.principal, body.channels)?,
        most: body.limit.unwrap_or(MAX_ORDERS),
        version: None,
        document: String::new(),
        author: meta.principal.client_id.clone(),
    };
    let (candidate, named) = (read_candidate(body.ruleset)?, body.limit.is_some());
    write(&meta, &state.store, "queue_replay", move |tx| queue(tx, wanted, &candidate, named)).await
}

/// Which replays to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReplaysQuery {
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List replays, the newest first
///
/// Without their reports; a client that is bound to channels sees replays of those channels alone.
#[utoipa::path(get, path = "/v1/sourcing/replays", tag = "inventory", params(ReplaysQuery),
    responses((status = 200, body = Page<ReplayView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ReplaysQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, before) = page::<Uuid>(query.limit, query.cursor)?;
    let within = principal.channel_filter();
    let rows =
        state.store.read("list_replays", move |tx| replays::list(tx, within, before, limit.saturating_add(1))).await?;
    let views = rows.iter().map(ReplayView::new).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view: &ReplayView| view.id)))
}

/// Read a replay
#[utoipa::path(get, path = "/v1/sourcing/replays/{id}", tag = "inventory",
    params(("id" = Uuid, Path, description = "The replay")),
    responses((status = 200, body = ReplayView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<Uuid>) -> Answer {
    let id = path.into_inner();
    let found = state
        .store
        .read("get_replay", move |tx| {
            let Some(stored) = replays::get(tx, id)? else { return Ok::<_, Error>(None) };
            let comparison = stored.comparison()?;
            let versions: Vec<i32> = comparison.happened.tiers.keys().copied().collect();
            let rulesets = rulesets::of_versions(tx, &versions)?;
            Ok(Some((stored, comparison, rulesets)))
        })
        .await?;
    let (stored, comparison, versions) = found.ok_or_else(|| Problem::not_found("replay", id))?;
    require(&principal, &stored)?;
    let mut view = ReplayView::new(&stored)?;
    if stored.status == "done" {
        let mut rulesets = versions.iter().map(rulesets::Stored::ruleset).collect::<Result<Vec<Ruleset>, Error>>()?;
        rulesets.push(stored.ruleset()?);
        view.report = Some(WhatIfReport::new(comparison, &rulesets));
    }
    Ok(answer::ok(&view))
}

/// Refuses a replay of channels that the client is not bound to.
fn require(principal: &Principal, stored: &Stored) -> Result<(), Problem> {
    if principal.channels == Scope::All {
        return Ok(());
    }
    let all = || Problem::new(ProblemCode::Forbidden).detail("the replay is of every channel");
    for channel in stored.channels.as_ref().ok_or_else(all)? {
        let code = crate::store::code(channel)?;
        principal.require_channel(&code)?;
    }
    Ok(())
}
