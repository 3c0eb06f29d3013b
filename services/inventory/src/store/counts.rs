//! Counts: which SKUs are counted, and what was found.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::document::CountStatus;

/// A count without its lines.
#[derive(Clone, Debug, QueryableByName)]
pub struct Count {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Where is counted.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// The caller's own reference.
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// The last movement of the ledger when counting began.
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    /// When counting began.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Who began it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// When it last changed.
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl Count {
    /// Where it stands.
    pub fn status(&self) -> Result<CountStatus, Error> {
        CountStatus::parse(&self.status).ok_or(Error::Broken("a stored state is a state"))
    }
}

/// One SKU of a count.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct CountLine {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// What the books said; told with what was counted.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub booked: Option<i64>,
    /// What was found.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub counted: Option<i64>,
    /// When it was found, if somebody said.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub counted_at: Option<DateTime<Utc>>,
}

/// Inserts a count of these SKUs, of which nothing is counted yet.
pub fn insert(tx: &mut Tx<'_>, count: &Count, skus: &[String]) -> Result<(), Error> {
    diesel::sql_query(
        "WITH begun AS (INSERT INTO counts (id, status, location, reference, position, created_at, created_by, \
            changed_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)) \
         INSERT INTO count_lines (count_id, sku) SELECT $1, sku FROM unnest($10) AS t (sku)",
    )
    .bind::<SqlUuid, _>(count.id)
    .bind::<Text, _>(&count.status)
    .bind::<Text, _>(&count.location)
    .bind::<Nullable<Text>, _>(&count.reference)
    .bind::<BigInt, _>(count.position)
    .bind::<Timestamptz, _>(count.created_at)
    .bind::<Text, _>(&count.created_by)
    .bind::<Timestamptz, _>(count.changed_at)
    .bind::<BigInt, _>(count.version)
    .bind::<Array<Text>, _>(skus)
    .execute(tx.conn())?;
    Ok(())
}

/// Writes where a count stands now.
pub fn update(tx: &mut Tx<'_>, count: &mut Count, status: CountStatus) -> Result<(), Error> {
    status.as_str().clone_into(&mut count.status);
    count.changed_at = tx.now().utc();
    count.version = count.version.saturating_add(1);
    diesel::sql_query("UPDATE counts SET status = $2, changed_at = $3, version = $4 WHERE id = $1")
        .bind::<SqlUuid, _>(count.id)
        .bind::<Text, _>(&count.status)
        .bind::<Timestamptz, _>(count.changed_at)
        .bind::<BigInt, _>(count.version)
        .execute(tx.conn())?;
    Ok(())
}

/// Writes what was found; a SKU that was not looked for gets a line of its own.
pub fn put_lines(tx: &mut Tx<'_>, count: Uuid, lines: &[CountLine]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO count_lines (count_id, sku, booked, counted, counted_at) \
         SELECT $1, t.* FROM unnest($2, $3, $4, $5) AS t ON CONFLICT (count_id, sku) DO UPDATE SET \
         booked = excluded.booked, counted = excluded.counted, counted_at = excluded.counted_at",
    )
    .bind::<SqlUuid, _>(count)
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(lines.iter().map(|it| it.booked).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(lines.iter().map(|it| it.counted).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(lines.iter().map(|it| it.counted_at).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

const COLUMNS: &str = "id, status, location, reference, position, created_at, created_by, changed_at, version";

/// A count.
pub fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Count>, Error> {
    Ok(diesel::sql_query(format!("SELECT {COLUMNS} FROM counts WHERE id = $1"))
        .bind::<SqlUuid, _>(id)
        .get_result(tx.conn())
        .optional()?)
}

/// The lines of a count by SKU.
pub fn lines(tx: &mut Tx<'_>, id: Uuid) -> Result<Vec<CountLine>, Error> {
    let query = "SELECT sku, booked, counted, counted_at FROM count_lines WHERE count_id = $1 ORDER BY sku";
    Ok(diesel::sql_query(query).bind::<SqlUuid, _>(id).load(tx.conn())?)
}

/// Which counts a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At this location.
    pub location: Option<String>,
    /// At these locations alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// Those that stand here.
    pub status: Option<CountStatus>,
    /// Begun before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Counts, the newest first.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Count>, Error> {
    Ok(diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM counts WHERE ($1 IS NULL OR location = $1) AND ($2 IS NULL OR location = ANY($2)) \
         AND ($3 IS NULL OR status = $3) AND ($4 IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"
    ))
    .bind::<Nullable<Text>, _>(&filter.location)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<Text>, _>(filter.status.map(CountStatus::as_str))
    .bind::<Nullable<SqlUuid>, _>(filter.before)
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?)
}

/// The SKUs that have a balance at a location, at most so many.
pub fn skus_at(tx: &mut Tx<'_>, location: &str, limit: i64) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        sku: String,
    }
    let rows: Vec<Row> = diesel::sql_query("SELECT sku FROM stock WHERE location = $1 ORDER BY sku LIMIT $2")
        .bind::<Text, _>(location)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.sku).collect())
}

/// A SKU that is looked up in the books: as of an instant, or as of when counting began.
pub type Asked<'a> = (&'a str, Option<Timestamp>);

// What another count has put right since is right already: it must not be put right twice. What was owed had been sold and
// was not there.
const BOOKED: &str = "\
SELECT a.sku, coalesce(m.on_hand_after, 0) - coalesce(o.owed, 0) + coalesce(c.corrected, 0) AS booked
FROM (
    SELECT t.sku, CASE WHEN t.at IS NULL THEN $3 ELSE coalesce(p.id, 0) END AS position
    FROM unnest($1, $2) AS t (sku, at)
    LEFT JOIN LATERAL (SELECT id FROM movements WHERE at <= t.at ORDER BY at DESC, id DESC LIMIT 1) p ON true
) a
LEFT JOIN LATERAL (SELECT on_hand_after FROM movements x WHERE x.sku = a.sku AND x.location = $4
    AND x.id <= a.position ORDER BY x.id DESC LIMIT 1) m ON true
LEFT JOIN LATERAL (SELECT sum(x.on_hand)::bigint AS corrected FROM movements x WHERE x.sku = a.sku AND x.location = $4
    AND x.id > a.position AND x.kind = 'count') c ON true
LEFT JOIN LATERAL (SELECT sum(x.owed)::bigint AS owed FROM movements x WHERE x.sku = a.sku AND x.location = $4
    AND x.id <= a.position AND x.owed IS NOT NULL) o ON true";

/// What the books said when counting began, or at another instant, of each SKU at the location of a count.
pub fn booked(tx: &mut Tx<'_>, count: &Count, asked: &[Asked<'_>]) -> Result<Vec<(String, i64)>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        sku: String,
        #[diesel(sql_type = BigInt)]
        booked: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(BOOKED)
        .bind::<Array<Text>, _>(asked.iter().map(|(sku, _)| *sku).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(asked.iter().map(|(_, at)| at.map(Timestamp::utc)).collect::<Vec<_>>())
        .bind::<BigInt, _>(count.position)
        .bind::<Text, _>(&count.location)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.sku, row.booked)).collect())
}
