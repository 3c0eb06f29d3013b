//! Where ring-fences keep more than there is.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use store::{Error, Tx};

use super::code;
use super::shares::{columns, stored};
use crate::domain::promises::{MAX_NAMED, MAX_WARNINGS, Promise, TooMuch};
use crate::domain::share::Rule;

// Of each SKU that the rule at hand speaks of and that ever had stock (or that it names), the rules that apply to the
// channels with ring-fences: that for the SKU, else that for its category, else that for everything. The rule at hand
// stands for the one that is stored.
const APPLIED: &str = "\
WITH rules AS (
    SELECT id, channel, sku, category, mode, value, locations, count_id FROM sharing_rules WHERE id <> $1
    UNION ALL SELECT $1, $2, $3, $4, $5, $6, $7, $8
), fenced AS (
    SELECT * FROM rules WHERE channel IN (SELECT channel FROM rules WHERE mode = 'exclusive')
), asked AS (
    SELECT k.sku, k.category, coalesce(v.available, 0) AS available FROM skus k LEFT JOIN availability v ON v.sku = k.sku
    WHERE k.sku = $3 OR ($3 IS NULL AND v.sku IS NOT NULL AND ($4 IS NULL OR k.category = $4))
), applied AS (
    SELECT DISTINCT ON (sku, channel) * FROM (
        SELECT a.sku, a.available, r.channel, r.id, r.mode, r.value, r.locations, r.count_id, 1 AS near
        FROM asked a JOIN fenced r ON r.sku = a.sku
        UNION ALL SELECT a.sku, a.available, r.channel, r.id, r.mode, r.value, r.locations, r.count_id, 2
        FROM asked a JOIN fenced r ON r.category = a.category
        UNION ALL SELECT a.sku, a.available, r.channel, r.id, r.mode, r.value, r.locations, r.count_id, 3
        FROM asked a CROSS JOIN fenced r WHERE r.sku IS NULL AND r.category IS NULL
    ) AS all_rules ORDER BY sku, channel, near
)";

// A fence that its own locations cannot fill is named alone; else all fences of the SKU, when they keep more than there is.
const WEIGHED: &str = "\
, fences AS (
    SELECT p.sku, p.available, p.channel, p.id, p.value, greatest(p.value - coalesce(u.promised + u.shipped, 0), 0) AS kept,
        CASE WHEN p.locations IS NULL OR p.id <> $1 THEN p.available ELSE (
            SELECT coalesce(sum(greatest(on_hand - reserved - quarantined - owed - safety, 0)), 0)::bigint FROM stock s
            WHERE s.sku = p.sku AND s.sells AND s.location = ANY (p.locations)) END AS there
    FROM applied p LEFT JOIN shares_used u ON u.sku = p.sku AND u.count_id = p.count_id WHERE p.mode = 'exclusive'
), own AS (
    SELECT * FROM fences WHERE id = $1
), too_much AS (
    SELECT sku, ARRAY[channel] AS channels, ARRAY[id] AS ids, ARRAY[value] AS \"values\", kept, there
    FROM own WHERE kept > there
    UNION ALL
    SELECT f.sku, array_agg(f.channel ORDER BY f.channel), array_agg(f.id ORDER BY f.channel),
        array_agg(f.value ORDER BY f.channel), sum(f.kept)::bigint, f.available
    FROM fences f JOIN own o ON o.sku = f.sku AND o.kept > 0 AND o.kept <= o.there
    GROUP BY f.sku, f.available HAVING sum(f.kept) > f.available
)
SELECT channels, ids, \"values\", count(*) AS count, (array_agg(sku ORDER BY sku))[1:$9::int] AS skus,
    (array_agg(kept ORDER BY sku))[1] AS kept, (array_agg(there ORDER BY sku))[1] AS there
FROM too_much GROUP BY channels, ids, \"values\" ORDER BY count(*) DESC, ids LIMIT $10";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Array<Text>)]
    channels: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    ids: Vec<String>,
    #[diesel(sql_type = Array<BigInt>)]
    values: Vec<i64>,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Array<Text>)]
    skus: Vec<String>,
    #[diesel(sql_type = BigInt)]
    kept: i64,
    #[diesel(sql_type = BigInt)]
    there: i64,
}

impl Row {
    fn too_much(self) -> Result<TooMuch, Error> {
        let of = self.channels.iter().zip(&self.ids).zip(self.values);
        let promise = |((channel, rule), value): ((&String, &String), i64)| -> Result<Promise, Error> {
            Ok(Promise { channel: code(channel)?, rule: code(rule)?, value })
        };
        Ok(TooMuch {
            promises: of.map(promise).collect::<Result<_, _>>()?,
            count: self.count,
            skus: self.skus.iter().map(|sku| code(sku)).collect::<Result<_, _>>()?,
            kept: self.kept,
            there: self.there,
        })
    }
}

/// Where more is kept than there is with this ring-fence, whose `count_id` says what it has used; those first that speak of
/// most SKUs.
pub fn over_stock(tx: &mut Tx<'_>, rule: &Rule) -> Result<Vec<TooMuch>, Error> {
    let (sku, category) = columns(&rule.scope);
    let (mode, value) = stored(rule.mode);
    let rows: Vec<Row> = diesel::sql_query(format!("{APPLIED}{WEIGHED}"))
        .bind::<Text, _>(rule.id.as_str())
        .bind::<Text, _>(rule.channel.as_str())
        .bind::<Nullable<Text>, _>(sku)
        .bind::<Nullable<Text>, _>(category)
        .bind::<Text, _>(mode)
        .bind::<Nullable<BigInt>, _>(value)
        .bind::<Nullable<Array<Text>>, _>(
            rule.locations.as_ref().map(|all| all.iter().map(|it| it.as_str()).collect::<Vec<_>>()),
        )
        .bind::<BigInt, _>(rule.count_id)
        .bind::<BigInt, _>(i64::try_from(MAX_NAMED).unwrap_or(i64::MAX))
        .bind::<BigInt, _>(i64::try_from(MAX_WARNINGS).unwrap_or(i64::MAX))
        .load(tx.conn())?;
    rows.into_iter().map(Row::too_much).collect()
}
