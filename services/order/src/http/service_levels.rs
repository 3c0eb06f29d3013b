//! How well locations serve, day by day.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use chrono::{Days, NaiveDate};
use contracts::{FieldError, Problem};
use kernel::{LocationCode, Page};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Meta, Query, answer, page};

use super::App;
use super::fulfilments::locations;
use crate::app::refusal::Refusal;
use crate::domain::service_level::{Measure, Sum};
use crate::store::code;
use crate::store::service_levels::{self, Day, Filter};

/// The most days that are asked for at once: a year, to compare with the one before in two requests.
const MAX_DAYS: i64 = 366;
/// The days that are shown unless asked otherwise: a month, to today.
const DEFAULT_DAYS: Days = Days::new(31);
/// The most reasons that are shown of a day: the most frequent ones.
const MAX_REASONS: usize = 50;

/// Which days to show.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// The location.
    location: Option<LocationCode>,
    /// From this day, in the retailer's time zone; 31 days before `until`, when left out.
    from: Option<NaiveDate>,
    /// Before this day; tomorrow, when left out.
    until: Option<NaiveDate>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Why, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonView {
    /// Why, in the location's words; long ones by their first 64 characters.
    reason: String,
    /// How often.
    count: i64,
}

/// What happened at a location on a day. Everything counts on the day it happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatisticsView {
    /// The day, in the retailer's time zone.
    day: NaiveDate,
    /// The location.
    location: LocationCode,
    /// Fulfilment orders that were offered.
    offered: i64,
    /// Those that it took on.
    accepted: i64,
    /// Seconds from the offer until then, of all of them.
    accept_seconds: i64,
    /// Those that it refused.
    rejected: i64,
    /// Why, the most frequent first; at most 50.
    rejected_for: Vec<ReasonView>,
    /// Offers that it did not answer in time.
    lapsed: i64,
    /// Those that it could not find all units of.
    short_picked: i64,
    /// Those that left.
    shipped: i64,
    /// Seconds from taking them on until then, of all of them.
    ship_seconds: i64,
    /// How many of them took longer than they should.
    shipped_late: i64,
    /// Those that waited at the counter.
    ready: i64,
    /// Seconds from taking them on until then, of all of them.
    ready_seconds: i64,
    /// How many of them took longer than they should.
    ready_late: i64,
    /// Those that the buyer took away.
    collected: i64,
    /// Seconds from waiting at the counter until then, of all of them.
    collect_seconds: i64,
    /// Those that the buyer did not come for.
    uncollected: i64,
}

impl StatisticsView {
    fn of(day: Day) -> Result<Self, Error> {
        let mut sums: BTreeMap<Measure, Sum> = BTreeMap::new();
        let mut rejected_for = Vec::new();
        for ((measure, reason), sum) in day.sums {
            let total = sums.entry(measure).or_default();
            *total = total.plus(sum);
            if measure == Measure::Rejected {
                rejected_for.push(ReasonView { reason, count: sum.units });
            }
        }
        rejected_for.sort_by(|a, b| (b.count, &a.reason).cmp(&(a.count, &b.reason)));
        rejected_for.truncate(MAX_REASONS);
        let sum = |measure: Measure| sums.get(&measure).copied().unwrap_or_default();
        Ok(Self {
            day: day.day,
            location: code(&day.location)?,
            offered: sum(Measure::Offered).units,
            accepted: sum(Measure::Accepted).units,
            accept_seconds: sum(Measure::Accepted).seconds,
            rejected: sum(Measure::Rejected).units,
            rejected_for,
            lapsed: sum(Measure::Lapsed).units,
            short_picked: sum(Measure::ShortPicked).units,
            shipped: sum(Measure::Shipped).units,
            ship_seconds: sum(Measure::Shipped).seconds,
            shipped_late: sum(Measure::Shipped).late,
            ready: sum(Measure::Ready).units,
            ready_seconds: sum(Measure::Ready).seconds,
            ready_late: sum(Measure::Ready).late,
            collected: sum(Measure::Collected).units,
            collect_seconds: sum(Measure::Collected).seconds,
            uncollected: sum(Measure::Uncollected).units,
        })
    }
}

/// Show how well locations serve, by day and location
///
/// Kept by every step as it is taken, so that nothing is added up over history; days without any are left out.
#[utoipa::path(get, path = "/v1/fulfilment-statistics", tag = "order", params(StatisticsQuery),
    responses((status = 200, body = Page<StatisticsView>), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<StatisticsQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<(NaiveDate, String)>(query.limit, query.cursor)?;
    let tomorrow = app.store.now().day_in(app.rules.zone).succ_opt().unwrap_or(NaiveDate::MAX);
    let until = query.until.unwrap_or(tomorrow);
    let from = query.from.unwrap_or_else(|| until.checked_sub_days(DEFAULT_DAYS).unwrap_or(NaiveDate::MIN));
    if until.signed_duration_since(from).num_days() > MAX_DAYS {
        let detail = format!("lies more than {MAX_DAYS} days before until");
        return Err(Problem::from(Refusal::Invalid(vec![FieldError { field: "from".to_owned(), detail }])).into());
    }
    let filter = Filter { locations: locations(&meta, query.location)?, from, until, after };
    let read = app
        .store
        .read("fulfilment_statistics", move |tx| service_levels::list(tx, &filter, limit.saturating_add(1)))
        .await?;
    let views: Vec<StatisticsView> = read.into_iter().map(StatisticsView::of).collect::<Result<_, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.day, view.location.to_string()))))
}
