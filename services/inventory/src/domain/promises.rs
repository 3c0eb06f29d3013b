//! Shares that promise too much: rules that can be used, and together with others may not be meant so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kernel::{ChannelCode, Code, SkuCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::share::{Mode, Rule, Rulebook, Scope};

/// Warnings of one kind: enough to begin with.
pub const MAX_WARNINGS: usize = 20;
/// SKUs named in one warning: enough to begin with.
pub const MAX_NAMED: usize = 20;

/// What is promised too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SharingWarningCode)]
pub enum WarningCode {
    /// The percentages of all channels exceed 100: they cannot all sell what they are shown.
    #[serde(rename = "percentages_over_100")]
    PercentagesOver100,
    /// More is kept for channels alone than can be promised where they may sell.
    ExclusivesOverStock,
}

/// One of the rules that promise too much together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = SharingPromise)]
pub struct Promise {
    /// Its channel.
    #[schema(value_type = String)]
    pub channel: ChannelCode,
    /// The rule.
    #[schema(value_type = String)]
    pub rule: Code,
    /// Percent, or units of each SKU.
    pub value: i64,
}

/// Something that may not be meant so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SharingWarning)]
pub struct Warning {
    /// What.
    pub code: WarningCode,
    /// The warning in a sentence.
    pub detail: String,
    /// The rules that promise too much together, by channel.
    pub promises: Vec<Promise>,
    /// Of how many SKUs with stock; absent where it does not depend on the SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// The first of them.
    #[schema(value_type = Vec<String>)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<SkuCode>,
}

/// Where the percentages of all channels exceed 100 with this rule, which is in the book: for what it speaks of itself, and
/// for what rules of other channels speak of more closely. Channels that sell from different locations share in different
/// units, and are not added up.
pub fn over_100(rule: &Rule, book: &Rulebook, categories: &HashMap<SkuCode, String>) -> Vec<Warning> {
    let mut found: BTreeMap<Vec<Promise>, &Scope> = BTreeMap::new();
    for scope in scopes(rule, book) {
        let category = match scope {
            Scope::Sku(sku) => categories.get(sku).map_or("", String::as_str),
            Scope::Category(_) | Scope::All => "",
        };
        if book.of_scope(&rule.channel, scope, category).is_none_or(|applies| applies.id != rule.id) {
            continue;
        }
        let channels: BTreeSet<&ChannelCode> = book.channels().collect();
        let promises: Vec<Promise> = channels
            .into_iter()
            .filter_map(|channel| book.of_scope(channel, scope, category))
            .filter(|other| overlap(rule, other))
            .filter_map(|other| promise(other))
            .collect();
        if percent(&promises) > 100 {
            found.entry(promises).or_insert(scope);
        }
    }
    found.into_iter().take(MAX_WARNINGS).map(|(promises, scope)| warning(promises, scope)).collect()
}

/// SKUs that rules of percentages name, whose categories [`over_100`] needs.
pub fn named_skus(book: &Rulebook) -> impl Iterator<Item = &SkuCode> {
    book.rules().filter_map(|rule| match (&rule.scope, rule.mode) {
        (Scope::Sku(sku), Mode::Percentage(_)) => Some(sku),
        _ => None,
    })
}

fn scopes<'a>(rule: &'a Rule, book: &'a Rulebook) -> Vec<&'a Scope> {
    if !matches!(rule.mode, Mode::Percentage(_)) {
        return Vec::new();
    }
    let closer = |other: &&Rule| match (&rule.scope, &other.scope) {
        (Scope::All, Scope::Category(_) | Scope::Sku(_)) | (Scope::Category(_), Scope::Sku(_)) => true,
        (Scope::Sku(_) | Scope::Category(_) | Scope::All, _) => false,
    };
    let others = book.rules().filter(|other| matches!(other.mode, Mode::Percentage(_))).filter(closer);
    std::iter::once(&rule.scope).chain(others.map(|other| &other.scope)).collect()
}

fn overlap(one: &Rule, other: &Rule) -> bool {
    one.locations.as_ref().zip(other.locations.as_ref()).is_none_or(|(one, other)| !one.is_disjoint(other))
}

fn promise(rule: &Rule) -> Option<Promise> {
    let Mode::Percentage(value) = rule.mode else { return None };
    Some(Promise { channel: rule.channel.clone(), rule: rule.id.clone(), value })
}

fn percent(promises: &[Promise]) -> i64 {
    promises.iter().map(|it| it.value).fold(0, i64::saturating_add)
}

fn warning(promises: Vec<Promise>, scope: &Scope) -> Warning {
    let what = match scope {
        Scope::Sku(sku) => format!("of {sku}"),
        Scope::Category(category) => format!("of the category {category}"),
        Scope::All => "of everything".to_owned(),
    };
    let detail = format!("{} percent {what} are promised to {} channels", percent(&promises), promises.len());
    Warning { code: WarningCode::PercentagesOver100, detail, promises, count: None, skus: Vec::new() }
}

/// Of some SKUs more is kept than there is.
#[derive(Clone, Debug)]
pub struct TooMuch {
    /// Who keeps it.
    pub promises: Vec<Promise>,
    /// Of how many SKUs.
    pub count: i64,
    /// The first of them, never empty.
    pub skus: Vec<SkuCode>,
    /// Of the first: units that are left to be kept, and units that can be promised where the channels may sell.
    pub kept: i64,
    /// See `kept`.
    pub there: i64,
}

impl From<TooMuch> for Warning {
    fn from(it: TooMuch) -> Self {
        let first = it.skus.first().map(ToString::to_string).unwrap_or_default();
        let detail = format!("of {first} {} units are kept, and {} can be promised", it.kept, it.there);
        Self {
            code: WarningCode::ExclusivesOverStock,
            detail,
            promises: it.promises,
            count: Some(it.count),
            skus: it.skus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(channel: &str, scope: Scope, percent: i64) -> Rule {
        Rule {
            id: channel.parse().unwrap(),
            channel: channel.parse().unwrap(),
            scope,
            mode: Mode::Percentage(percent),
            buffer: 0,
            locations: None,
            count_id: 0,
            version: 1,
        }
    }

    fn tops() -> Scope {
        Scope::Category("tops".to_owned())
    }

    fn a() -> Scope {
        Scope::Sku("A".parse().unwrap())
    }

    /// What is warned of when the first rule is saved beside the others: `(sum, channels)`.
    fn sums(rules: &[Rule]) -> Vec<(i64, String)> {
        let categories = HashMap::from([("A".parse().unwrap(), "tops".to_owned())]);
        let warnings = over_100(&rules[0], &Rulebook::new(rules.to_vec()), &categories);
        let channels = |it: &Warning| it.promises.iter().map(|it| it.channel.as_str()).collect::<Vec<_>>().join(" ");
        warnings.iter().map(|it| (percent(&it.promises), channels(it))).collect()
    }

    #[test]
    fn percentages_of_all_channels_are_added_up() {
        let all = |channel: &str, percent: i64| rule(channel, Scope::All, percent);
        assert_eq!(sums(&[all("a", 60), all("b", 40)]), []);
        assert_eq!(sums(&[all("a", 60), all("b", 40), all("c", 1)]), [(101, "a b c".to_owned())]);
        let quota = Rule { mode: Mode::Quota(90), ..all("b", 0) };
        assert_eq!(sums(&[all("a", 60), quota]), []);
    }

    #[test]
    fn the_closest_rule_of_each_channel_counts() {
        // Of A, a has 60 by its rule for all, and b 50; of all else b has 40.
        let b = Rule { id: "b-a".parse().unwrap(), ..rule("b", a(), 50) };
        let rules = [rule("a", Scope::All, 60), rule("b", Scope::All, 40), b.clone()];
        assert_eq!(sums(&rules), [(110, "a b".to_owned())]);
        // A rule of a's own for tops, A among them, goes before.
        let own = Rule { id: "a-tops".parse().unwrap(), ..rule("a", tops(), 20) };
        assert_eq!(sums(&[rules[0].clone(), rules[1].clone(), b.clone(), own.clone()]), []);
        assert_eq!(sums(&[Rule { mode: Mode::Percentage(51), ..own }, b]), [(101, "a b".to_owned())]);
    }

    #[test]
    fn channels_that_sell_from_different_places_share_nothing() {
        let at = |channel: &str, places: &[&str]| Rule {
            locations: Some(places.iter().map(|it| it.parse().unwrap()).collect()),
            ..rule(channel, Scope::All, 60)
        };
        assert_eq!(sums(&[at("a", &["X"]), at("b", &["Y"])]), []);
        assert_eq!(sums(&[at("a", &["X", "Y"]), at("b", &["Y"])]), [(120, "a b".to_owned())]);
        assert_eq!(sums(&[at("a", &["X"]), rule("b", Scope::All, 60)]), [(120, "a b".to_owned())]);
    }
}
