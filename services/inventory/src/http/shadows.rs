//! What the ruleset in shadow would have decided, beside what was decided.

use chrono::NaiveDate;
use contracts::{Problem, ProblemCode};
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;
use web::{Answer, Data, Path, Principal, Scope, answer};

use super::State;
use super::comparison::WhatIfReport;
use crate::domain::Ruleset;
use crate::domain::compare::Comparison;
use crate::store::{rulesets, shadows};

/// Days that are summed: the last three months that the ruleset was in shadow.
const MAX_DAYS: i64 = 92;

/// What a ruleset in shadow came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowReport {
    /// The ruleset.
    version: i32,
    /// The days, by the retailer's calendar, on which it decided beside the one in force; the oldest first.
    #[schema(value_type = Vec<String>)]
    days: Vec<NaiveDate>,
    /// What was decided beside what it would have decided on the same stock: each order by itself, since what it would have
    /// given away was not.
    report: WhatIfReport,
}

/// Read what a ruleset in shadow would have decided
///
/// The sums over the last 92 days that it was in shadow, of orders of every channel.
#[utoipa::path(get, path = "/v1/sourcing/rulesets/{version}/shadow-report", tag = "inventory",
    params(("version" = i32, Path, description = "The ruleset's version")),
    responses((status = 200, body = ShadowReport), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<i32>) -> Answer {
    let version = path.into_inner();
    if principal.channels != Scope::All {
        return Err(Problem::new(ProblemCode::Forbidden).detail("the report is of every channel").into());
    }
    let (stored, days, live) = state
        .store
        .read("get_shadow_report", move |tx| {
            let stored = rulesets::get(tx, version)?;
            let days = shadows::of(tx, version, MAX_DAYS)?;
            let versions: Vec<i32> = days.iter().flat_map(|(_, it)| it.happened.tiers.keys().copied()).collect();
            Ok::<_, Error>((stored, days, rulesets::of_versions(tx, &versions)?))
        })
        .await?;
    let stored = stored.ok_or_else(|| Problem::not_found("ruleset", version))?;
    let mut named = live.iter().map(rulesets::Stored::ruleset).collect::<Result<Vec<Ruleset>, Error>>()?;
    named.push(stored.ruleset()?);
    let mut sum = Comparison::default();
    let mut dates = Vec::with_capacity(days.len());
    for (day, comparison) in days.into_iter().rev() {
        dates.push(day);
        sum.merge(comparison);
    }
    Ok(answer::ok(&ShadowReport { version, days: dates, report: WhatIfReport::new(sum, &named) }))
}
