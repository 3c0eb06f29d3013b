//! Sharing rules, and what was used of quotas and ring-fences.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use kernel::SkuCode;
use store::{Error, Tx, statement};

use super::{backorders, changes, code, telling};
use crate::domain::share::{Mode, Rule, Scope};

/// The count of rule changes among the jobs' marks.
const CHANGED: &str = "sharing_rules";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Nullable<Text>)]
    sku: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = Text)]
    mode: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    value: Option<i64>,
    #[diesel(sql_type = BigInt)]
    buffer: i64,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    locations: Option<Vec<String>>,
    #[diesel(sql_type = BigInt)]
    count_id: i64,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

const COLUMNS: &str = "id, channel, sku, category, mode, value, buffer, locations, count_id, version";

impl Row {
    fn rule(self) -> Result<Rule, Error> {
        let scope = match (self.sku, self.category) {
            (Some(sku), _) => Scope::Sku(code(&sku)?),
            (None, Some(category)) => Scope::Category(category),
            (None, None) => Scope::All,
        };
        let locations = self.locations.map(|all| all.iter().map(|it| code(it)).collect::<Result<BTreeSet<_>, _>>());
        Ok(Rule {
            id: code(&self.id)?,
            channel: code(&self.channel)?,
            scope,
            mode: mode(&self.mode, self.value)?,
            buffer: self.buffer,
            locations: locations.transpose()?,
            count_id: self.count_id,
            version: self.version,
        })
    }
}

fn mode(name: &str, value: Option<i64>) -> Result<Mode, Error> {
    match (name, value) {
        ("shared", None) => Ok(Mode::Shared),
        ("percentage", Some(value)) => Ok(Mode::Percentage(value)),
        ("quota", Some(value)) => Ok(Mode::Quota(value)),
        ("exclusive", Some(value)) => Ok(Mode::Exclusive(value)),
        ("excluded", None) => Ok(Mode::Excluded),
        _ => Err(Error::Broken("a stored sharing rule has a mode and its value")),
    }
}

/// A mode as it is stored: its name and its value.
pub const fn stored(mode: Mode) -> (&'static str, Option<i64>) {
    match mode {
        Mode::Shared => ("shared", None),
        Mode::Percentage(value) => ("percentage", Some(value)),
        Mode::Quota(value) => ("quota", Some(value)),
        Mode::Exclusive(value) => ("exclusive", Some(value)),
        Mode::Excluded => ("excluded", None),
    }
}

/// Every rule.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Rule>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!("SELECT {COLUMNS} FROM sharing_rules")).load(tx.conn())?;
    rows.into_iter().map(Row::rule).collect()
}

/// One rule.
pub fn get(tx: &mut Tx<'_>, id: &str) -> Result<Option<Rule>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("SELECT {COLUMNS} FROM sharing_rules WHERE id = $1"))
        .bind::<Text, _>(id)
        .get_result(tx.conn())
        .optional()?;
    row.map(Row::rule).transpose()
}

/// How many rules there are.
pub fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        rules: i64,
    }
    let row: Count = diesel::sql_query("SELECT count(*) AS rules FROM sharing_rules").get_result(tx.conn())?;
    Ok(row.rules)
}

/// Which rules a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this channel alone.
    pub channel: Option<String>,
    /// Of these channels alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// After this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: i64,
}

/// Rules by id.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Rule>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM sharing_rules WHERE ($1 IS NULL OR channel = $1) AND ($2 IS NULL OR channel = ANY($2)) \
         AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4"
    ))
    .bind::<Nullable<Text>, _>(&filter.channel)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<Text>, _>(&filter.after)
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?;
    rows.into_iter().map(Row::rule).collect()
}

/// The id of the rule that a channel has for a scope.
pub fn of_scope(tx: &mut Tx<'_>, channel: &str, scope: &Scope) -> Result<Option<String>, Error> {
    #[derive(QueryableByName)]
    struct Id {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let (sku, category) = columns(scope);
    let row: Option<Id> = diesel::sql_query(
        "SELECT id FROM sharing_rules WHERE channel = $1 AND coalesce(sku, '') = coalesce($2, '') \
         AND coalesce(category, '') = coalesce($3, '')",
    )
    .bind::<Text, _>(channel)
    .bind::<Nullable<Text>, _>(sku)
    .bind::<Nullable<Text>, _>(category)
    .get_result(tx.conn())
    .optional()?;
    Ok(row.map(|row| row.id))
}

/// A scope as it is stored: its SKU, or its category.
pub fn columns(scope: &Scope) -> (Option<&str>, Option<&str>) {
    match scope {
        Scope::Sku(sku) => (Some(sku.as_str()), None),
        Scope::Category(category) => (None, Some(category)),
        Scope::All => (None, None),
    }
}

/// Creates or replaces a rule; it counts on, unless its mode, channel or scope is another. Answers it as it is now.
pub fn put(tx: &mut Tx<'_>, rule: &Rule) -> Result<Rule, Error> {
    let (sku, category) = columns(&rule.scope);
    let (mode, value) = stored(rule.mode);
    let row: Row = diesel::sql_query(format!(
        "INSERT INTO sharing_rules AS r (id, channel, sku, category, mode, value, buffer, locations, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
         ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, sku = excluded.sku, category = excluded.category, \
         mode = excluded.mode, value = excluded.value, buffer = excluded.buffer, locations = excluded.locations, \
         version = r.version + 1, count_id = CASE WHEN (r.channel, r.sku, r.category, r.mode) IS NOT DISTINCT FROM \
            (excluded.channel, excluded.sku, excluded.category, excluded.mode) THEN r.count_id ELSE excluded.count_id END \
         RETURNING {COLUMNS}"
    ))
    .bind::<Text, _>(rule.id.as_str())
    .bind::<Text, _>(rule.channel.as_str())
    .bind::<Nullable<Text>, _>(sku)
    .bind::<Nullable<Text>, _>(category)
    .bind::<Text, _>(mode)
    .bind::<Nullable<BigInt>, _>(value)
    .bind::<BigInt, _>(rule.buffer)
    .bind::<Nullable<Array<Text>>, _>(
        rule.locations.as_ref().map(|all| all.iter().map(|it| it.as_str()).collect::<Vec<_>>()),
    )
    .get_result(tx.conn())?;
    row.rule()
}

/// Removes a rule.
pub fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), Error> {
    diesel::sql_query("DELETE FROM sharing_rules WHERE id = $1").bind::<Text, _>(id).execute(tx.conn())?;
    Ok(())
}

/// Logs that rules changed, lets every availability be told again, and every order that waits be looked at again.
pub fn changed(tx: &mut Tx<'_>) -> Result<(), Error> {
    changes::rules_changed(tx)?;
    let count = changes::progress(tx, CHANGED)?;
    changes::advance(tx, CHANGED, count.saturating_add(1))?;
    telling::tell_again(tx)?;
    backorders::wake_all(tx)
}

/// How often rules changed.
pub fn changes_so_far(tx: &mut Tx<'_>) -> Result<i64, Error> {
    changes::progress(tx, CHANGED)
}

/// A change of what was used: units promised, and units shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UseDelta {
    /// Units promised.
    pub promised: i64,
    /// Units shipped.
    pub shipped: i64,
}

/// Changes by SKU and count.
pub type UseDeltas = BTreeMap<(SkuCode, i64), UseDelta>;

// The rule's own number has the last word, in the statement that counts: a lowered quota refuses more, not what was given.
// What other channels may have changes too, so the SKU gets a new version.
const COUNT: &str = "\
WITH asked AS (
    SELECT t.*, r.value AS most FROM unnest($1, $2, $3, $4) AS t (sku, count_id, promised, shipped)
    LEFT JOIN sharing_rules r USING (count_id)
), grown AS (
    UPDATE shares_used u SET promised = u.promised + a.promised, shipped = u.shipped + a.shipped
    FROM asked a WHERE u.sku = a.sku AND u.count_id = a.count_id
      AND (a.promised <= 0 OR coalesce(u.promised + u.shipped + a.promised <= a.most, true))
    RETURNING u.sku, u.count_id, u.promised + u.shipped AS used
), begun AS (
    INSERT INTO shares_used (sku, count_id, promised, shipped)
    SELECT a.sku, a.count_id, a.promised, a.shipped FROM asked a
    WHERE coalesce(a.promised <= a.most, true)
      AND NOT EXISTS (SELECT FROM shares_used x WHERE x.sku = a.sku AND x.count_id = a.count_id)
    RETURNING sku, count_id, promised + shipped AS used
), counted AS (
    SELECT * FROM grown UNION ALL SELECT * FROM begun
), totalled AS (
    UPDATE availability v SET version = v.version + 1 FROM (SELECT DISTINCT sku FROM counted) c WHERE v.sku = c.sku
    RETURNING v.sku, v.available, v.version
), logged AS (
    INSERT INTO changes (at, used_skus, used_counts, used, totalled, totals, versions)
    SELECT $5, array_agg(sku), array_agg(count_id), array_agg(used),
        coalesce((SELECT array_agg(sku) FROM totalled), '{}'), coalesce((SELECT array_agg(available) FROM totalled), '{}'),
        coalesce((SELECT array_agg(version) FROM totalled), '{}')
    FROM counted HAVING count(*) > 0
)
SELECT sku, count_id, used FROM counted";

/// What is used of a SKU under one count.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Used {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The count.
    #[diesel(sql_type = BigInt)]
    pub count_id: i64,
    /// Units promised and shipped.
    #[diesel(sql_type = BigInt)]
    pub used: i64,
}

/// Counts what was promised, given back and shipped, all or nothing. The caller holds the pool's lock.
pub fn count_use(tx: &mut Tx<'_>, deltas: &UseDeltas) -> Result<(), Error> {
    if deltas.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    let counted: Vec<Used> = statement(COUNT)
        .bind::<Array<Text>, _>(deltas.keys().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(deltas.keys().map(|(_, count)| *count).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(deltas.values().map(|it| it.promised).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(deltas.values().map(|it| it.shipped).collect::<Vec<_>>())
        .bind::<Timestamptz, _>(at)
        .load(tx.conn())?;
    if counted.len() == deltas.len() {
        Ok(())
    } else {
        Err(Error::Conflict("a channel's share has less left than was planned".to_owned()))
    }
}

/// What was used of these SKUs, by SKU and count.
pub fn used<'a>(tx: &mut Tx<'_>, skus: impl Iterator<Item = &'a str>) -> Result<HashMap<(String, i64), i64>, Error> {
    let rows: Vec<Used> =
        statement("SELECT sku, count_id, promised + shipped AS used FROM shares_used WHERE sku = ANY($1)")
            .bind::<Array<Text>, _>(skus.collect::<Vec<_>>())
            .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| ((row.sku, row.count_id), row.used)).collect())
}

/// What holds that have run out and are not swept yet still count as used of a SKU: `(count, units)`.
pub fn lapsed(tx: &mut Tx<'_>, sku: &str) -> Result<Vec<(i64, i64)>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Used> = diesel::sql_query(
        "SELECT l.sku, l.count_id, sum(l.quantity)::bigint AS used FROM reservations r \
         JOIN reserved_lines l ON l.owner = r.id WHERE r.state = 'held' AND r.expires_at <= $2 AND l.sku = $1 \
         AND l.count_id > 0 GROUP BY l.sku, l.count_id",
    )
    .bind::<Text, _>(sku)
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.count_id, row.used)).collect())
}
