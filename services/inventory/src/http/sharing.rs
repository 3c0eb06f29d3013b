//! Sharing rules: how much of the pool a channel may sell.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::quantity::MAX_QUANTITY;
use kernel::{ChannelCode, Code, LocationCode, Page, SkuCode};
use serde::{Deserialize, Serialize};
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::{State, check_text};
use crate::app::lint_sharing_rules::lint_sharing_rule;
use crate::app::save_sharing_rules::{Refusal, remove_sharing_rule, save_sharing_rule};
use crate::domain::promises::Warning;
use crate::domain::share::{Mode, Rule, Scope};
use crate::store::shares::{self, Filter};

/// The longest name of a category, in characters.
const MAX_CATEGORY: usize = 200;
/// The most locations in one rule: every store of a large chain.
const MAX_LOCATIONS: usize = 10_000;

/// How a channel shares in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharingMode {
    /// In everything that is not kept for another channel.
    Shared,
    /// In `value` percent of that, rounded down to whole units.
    Percentage,
    /// In that too, but in no more than `value` units of each SKU, counted from when the rule is made.
    Quota,
    /// In `value` units of each SKU that are kept for the channel alone, counted from when the rule is made.
    Exclusive,
    /// In nothing.
    Excluded,
}

/// What a rule speaks of: one SKU, the SKUs of one category, or all of them when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharingScope {
    /// This SKU alone. A bundle has no stock of its own: name its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sku: Option<SkuCode>,
    /// The SKUs of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
}

/// A sharing rule as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharingRuleBody {
    /// The channel it binds.
    channel: ChannelCode,
    /// What it speaks of; a channel has one rule for a scope. That for a SKU goes before that for its category, and that
    /// before the one for all.
    #[serde(default)]
    scope: SharingScope,
    /// How the channel shares.
    mode: SharingMode,
    /// Percent (0 to 100) for `percentage`, units for `quota` and `exclusive`.
    value: Option<i64>,
    /// Units of each SKU that the channel is not told of and does not get, for what it sells before it hears of a change.
    buffer: Option<i64>,
    /// From where the channel may sell; from everywhere, when left out.
    locations: Option<BTreeSet<LocationCode>>,
}

impl SharingRuleBody {
    fn rule(self, id: Code) -> Result<Rule, Problem> {
        let scope = match (self.scope.sku, self.scope.category) {
            (Some(_), Some(_)) => return Err(Problem::invalid("scope.category", "is given instead of sku")),
            (Some(sku), None) => Scope::Sku(sku),
            (None, Some(category)) => {
                check_text("scope.category", &category, MAX_CATEGORY)?;
                Scope::Category(category)
            }
            (None, None) => Scope::All,
        };
        let units = |units: i64| {
            let fine = (0..=MAX_QUANTITY).contains(&units);
            if fine { Ok(units) } else { Err(Problem::invalid("value", format!("lies between 0 and {MAX_QUANTITY}"))) }
        };
        let mode = match (self.mode, self.value) {
            (SharingMode::Shared, None) => Mode::Shared,
            (SharingMode::Excluded, None) => Mode::Excluded,
            (SharingMode::Percentage, Some(percent)) if (0..=100).contains(&percent) => Mode::Percentage(percent),
            (SharingMode::Percentage, Some(_)) => {
                return Err(Problem::invalid("value", "is a number of percent, 0 to 100"));
            }
            (SharingMode::Quota, Some(value)) => Mode::Quota(units(value)?),
            (SharingMode::Exclusive, Some(value)) => Mode::Exclusive(units(value)?),
            (SharingMode::Shared | SharingMode::Excluded, Some(_)) => {
                return Err(Problem::invalid("value", "goes with percentage, quota and exclusive"));
            }
            (SharingMode::Percentage | SharingMode::Quota | SharingMode::Exclusive, None) => {
                return Err(Problem::invalid("value", "is needed"));
            }
        };
        let buffer = self.buffer.unwrap_or(0);
        if !(0..=MAX_QUANTITY).contains(&buffer) {
            return Err(Problem::invalid("buffer", format!("lies between 0 and {MAX_QUANTITY}")));
        }
        if self.locations.as_ref().is_some_and(|all| !(1..=MAX_LOCATIONS).contains(&all.len())) {
            return Err(Problem::invalid("locations", format!("names 1 to {MAX_LOCATIONS} locations, or is left out")));
        }
        let channel = self.channel;
        Ok(Rule { id, channel, scope, mode, buffer, locations: self.locations, count_id: 0, version: 0 })
    }
}

/// A sharing rule as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SharingRuleView {
    /// Its id.
    id: Code,
    /// The channel it binds.
    channel: ChannelCode,
    /// What it speaks of.
    scope: SharingScope,
    /// How the channel shares.
    mode: SharingMode,
    /// Percent for `percentage`, units for `quota` and `exclusive`.
    value: Option<i64>,
    /// Units of each SKU that the channel is not told of and does not get.
    buffer: i64,
    /// From where the channel may sell; from everywhere, when there are none.
    locations: Option<BTreeSet<LocationCode>>,
    /// Grows with every change; also the ETag.
    version: i64,
    /// Where it promises too much, together with the rules of other channels that the caller may see; not in lists. Absent
    /// when there is nothing to be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

impl SharingRuleView {
    /// A rule with what is to be said of it to a caller.
    fn with(rule: Rule, mut warnings: Vec<Warning>, principal: &Principal) -> Self {
        for warning in &mut warnings {
            warning.promises.retain(|it| principal.require_channel(&it.channel).is_ok());
        }
        Self { warnings, ..Self::from(rule) }
    }
}

impl From<Rule> for SharingRuleView {
    fn from(rule: Rule) -> Self {
        let (mode, value) = match rule.mode {
            Mode::Shared => (SharingMode::Shared, None),
            Mode::Percentage(value) => (SharingMode::Percentage, Some(value)),
            Mode::Quota(value) => (SharingMode::Quota, Some(value)),
            Mode::Exclusive(value) => (SharingMode::Exclusive, Some(value)),
            Mode::Excluded => (SharingMode::Excluded, None),
        };
        let scope = match rule.scope {
            Scope::Sku(sku) => SharingScope { sku: Some(sku), category: None },
            Scope::Category(category) => SharingScope { sku: None, category: Some(category) },
            Scope::All => SharingScope::default(),
        };
        Self {
            id: rule.id,
            channel: rule.channel,
            scope,
            mode,
            value,
            buffer: rule.buffer,
            locations: rule.locations,
            version: rule.version,
            warnings: Vec::new(),
        }
    }
}

/// Create or replace a sharing rule
///
/// A quota or a ring-fence counts what its channel was promised since the rule was made; it counts on when the rule is
/// replaced, and from zero when its mode, channel or scope becomes another. What was promised before stays promised.
///
/// A rule that promises too much is saved all the same, and `warnings` say so: percentages that exceed 100 over all channels,
/// and ring-fences that keep more than can be promised.
#[utoipa::path(put, path = "/v1/sharing-rules/{id}", tag = "inventory",
    params(("id" = String, Path, description = "The rule's id, of the caller's choosing")), request_body = SharingRuleBody,
    responses((status = 200, body = SharingRuleView), (status = 201, body = SharingRuleView),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn put(
    state: Data<State>,
    path: Path<Code>,
    meta: Meta,
    body: Json<SharingRuleBody>,
) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    meta.principal.require_channel(&body.channel)?;
    let rule = body.rule(path.into_inner())?;
    let (if_match, principal) = (meta.if_match, meta.principal.clone());
    // Looked at before the pool's lock is taken: every SKU may have to be.
    let wanted = rule.clone();
    let warnings = state.store.read("lint_sharing_rule", move |tx| lint_sharing_rule(tx, &wanted)).await?;
    let done = write(&meta, &state.store, "save_sharing_rule", move |tx| -> Result<service::Answer, Refusal> {
        let (rule, created) = save_sharing_rule(tx, &rule, if_match, &|channel| principal.require_channel(channel))?;
        let (version, resource) = (rule.version, format!("/v1/sharing-rules/{}", rule.id));
        let view = SharingRuleView::with(rule, warnings, &principal);
        Ok(if created {
            service::Answer::created(&view, version, resource)?
        } else {
            service::Answer::ok(&view, version)?
        })
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}

/// Read a sharing rule
#[utoipa::path(get, path = "/v1/sharing-rules/{id}", tag = "inventory",
    params(("id" = String, Path, description = "The rule's id")),
    responses((status = 200, body = SharingRuleView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<Code>) -> Answer {
    let id = path.into_inner();
    let wanted = id.to_string();
    let read = state.store.read("get_sharing_rule", move |tx| {
        let found = shares::get(tx, &wanted)?;
        let warnings = found.as_ref().map_or(Ok(Vec::new()), |rule| lint_sharing_rule(tx, rule))?;
        Ok::<_, Error>(found.map(|rule| (rule, warnings)))
    });
    let (rule, warnings) = read.await?.ok_or_else(|| Problem::not_found("sharing rule", &id))?;
    principal.require_channel(&rule.channel)?;
    let version = rule.version;
    Ok(answer::versioned(&SharingRuleView::with(rule, warnings, &principal), version))
}

/// Remove a sharing rule
///
/// Its channel goes by the next wider rule from then on, or shares in everything.
#[utoipa::path(delete, path = "/v1/sharing-rules/{id}", tag = "inventory",
    params(("id" = String, Path, description = "The rule's id")),
    responses((status = 204), (status = 404, body = Problem), (status = 412, body = Problem)))]
pub async fn delete(state: Data<State>, meta: Meta, path: Path<Code>) -> Result<HttpResponse, Failure> {
    let (id, if_match, principal) = (path.into_inner(), meta.if_match, meta.principal.clone());
    let done = write(&meta, &state.store, "remove_sharing_rule", move |tx| -> Result<service::Answer, Refusal> {
        remove_sharing_rule(tx, &id, if_match, &|channel| principal.require_channel(channel))?;
        Ok(service::Answer::no_content())
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}

/// Which rules to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SharingRulesQuery {
    /// Those of this channel.
    #[param(value_type = Option<String>)]
    channel: Option<ChannelCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List sharing rules in the order of their ids
#[utoipa::path(get, path = "/v1/sharing-rules", tag = "inventory", params(SharingRulesQuery),
    responses((status = 200, body = Page<SharingRuleView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<SharingRulesQuery>) -> Answer {
    let query = query.into_inner();
    if let Some(channel) = &query.channel {
        principal.require_channel(channel)?;
    }
    let (limit, after) = page::<Code>(query.limit, query.cursor)?;
    let filter = Filter {
        channel: query.channel.map(String::from),
        within: principal.channel_filter(),
        after: after.map(String::from),
        limit: limit.saturating_add(1),
    };
    let rows = state.store.read("list_sharing_rules", move |tx| shares::list(tx, &filter)).await?;
    let views = rows.into_iter().map(SharingRuleView::from).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |view: &SharingRuleView| view.id.to_string())))
}
