//! Receipts and transfers: what is to arrive at a location, and what did.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

use super::code;
use crate::domain::document::GoodsLine;

/// Which of the two a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goods from a supplier.
    Receipt,
    /// Goods from another location.
    Transfer,
}

impl Kind {
    /// As it is stored, and as a reader knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Transfer => "transfer",
        }
    }
}

/// A receipt or a transfer without its lines.
#[derive(Clone, Debug, QueryableByName)]
pub struct Delivery {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Where the goods come from, when that is one of ours.
    #[diesel(sql_type = Nullable<Text>)]
    pub origin: Option<String>,
    /// Where they go.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Who supplies them.
    #[diesel(sql_type = Nullable<Text>)]
    pub supplier: Option<String>,
    /// Why they go there.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// The caller's own reference.
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// When they are expected.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expected_at: Option<DateTime<Utc>>,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Who wrote it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// When it last changed.
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Inserts a delivery with its lines.
pub fn insert(tx: &mut Tx<'_>, kind: Kind, delivery: &Delivery, lines: &[GoodsLine]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO deliveries (id, kind, status, origin, location, supplier, reason, reference, expected_at, \
         created_at, created_by, changed_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind::<SqlUuid, _>(delivery.id)
    .bind::<Text, _>(kind.as_str())
    .bind::<Text, _>(&delivery.status)
    .bind::<Nullable<Text>, _>(&delivery.origin)
    .bind::<Text, _>(&delivery.location)
    .bind::<Nullable<Text>, _>(&delivery.supplier)
    .bind::<Nullable<Text>, _>(&delivery.reason)
    .bind::<Nullable<Text>, _>(&delivery.reference)
    .bind::<Nullable<Timestamptz>, _>(delivery.expected_at)
    .bind::<Timestamptz, _>(delivery.created_at)
    .bind::<Text, _>(&delivery.created_by)
    .bind::<Timestamptz, _>(delivery.changed_at)
    .bind::<BigInt, _>(delivery.version)
    .execute(tx.conn())?;
    put_lines(tx, delivery, lines)
}

/// Writes what changed of a delivery.
pub fn update(tx: &mut Tx<'_>, delivery: &Delivery, lines: &[GoodsLine]) -> Result<(), Error> {
    diesel::sql_query("UPDATE deliveries SET status = $2, changed_at = $3, version = $4 WHERE id = $1")
        .bind::<SqlUuid, _>(delivery.id)
        .bind::<Text, _>(&delivery.status)
        .bind::<Timestamptz, _>(delivery.changed_at)
        .bind::<BigInt, _>(delivery.version)
        .execute(tx.conn())?;
    put_lines(tx, delivery, lines)
}

fn put_lines(tx: &mut Tx<'_>, delivery: &Delivery, lines: &[GoodsLine]) -> Result<(), Error> {
    let column = |pick: fn(&GoodsLine) -> i64| lines.iter().map(pick).collect::<Vec<i64>>();
    diesel::sql_query(
        "INSERT INTO delivery_lines AS l (delivery, location, line_no, sku, expected, received, damaged, incoming) \
         SELECT $1, $2, t.* FROM unnest($3, $4, $5, $6, $7, $8) AS t \
         ON CONFLICT (delivery, line_no) DO UPDATE SET received = excluded.received, damaged = excluded.damaged, \
         incoming = excluded.incoming",
    )
    .bind::<SqlUuid, _>(delivery.id)
    .bind::<Text, _>(&delivery.location)
    .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(column(|it| it.expected))
    .bind::<Array<BigInt>, _>(column(|it| it.received))
    .bind::<Array<BigInt>, _>(column(|it| it.damaged))
    .bind::<Array<BigInt>, _>(column(|it| it.incoming))
    .execute(tx.conn())?;
    Ok(())
}

const COLUMNS: &str = "id, status, origin, location, supplier, reason, reference, expected_at, created_at, created_by, \
    changed_at, version";

/// A delivery of a kind.
pub fn get(tx: &mut Tx<'_>, kind: Kind, id: Uuid) -> Result<Option<Delivery>, Error> {
    Ok(diesel::sql_query(format!("SELECT {COLUMNS} FROM deliveries WHERE id = $1 AND kind = $2"))
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(kind.as_str())
        .get_result(tx.conn())
        .optional()?)
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = SqlUuid)]
    delivery: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = BigInt)]
    expected: i64,
    #[diesel(sql_type = BigInt)]
    received: i64,
    #[diesel(sql_type = BigInt)]
    damaged: i64,
    #[diesel(sql_type = BigInt)]
    incoming: i64,
}

/// The lines of these deliveries, each in their order.
pub fn lines(tx: &mut Tx<'_>, deliveries: &[Uuid]) -> Result<HashMap<Uuid, Vec<GoodsLine>>, Error> {
    let rows: Vec<LineRow> = diesel::sql_query(
        "SELECT delivery, line_no, sku, expected, received, damaged, incoming FROM delivery_lines \
         WHERE delivery = ANY($1) ORDER BY delivery, line_no",
    )
    .bind::<Array<SqlUuid>, _>(deliveries)
    .load(tx.conn())?;
    let mut lines: HashMap<Uuid, Vec<GoodsLine>> = HashMap::new();
    for row in rows {
        lines.entry(row.delivery).or_default().push(GoodsLine {
            line_no: row.line_no,
            sku: code(&row.sku)?,
            expected: row.expected,
            received: row.received,
            damaged: row.damaged,
            incoming: row.incoming,
        });
    }
    Ok(lines)
}

/// Which deliveries a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// To this location, or from it.
    pub location: Option<String>,
    /// To or from these locations alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// Those that stand here.
    pub status: Option<&'static str>,
    /// Written before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Deliveries of a kind, the newest first.
pub fn list(tx: &mut Tx<'_>, kind: Kind, filter: &Filter) -> Result<Vec<Delivery>, Error> {
    Ok(diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM deliveries WHERE kind = $1 AND ($2 IS NULL OR location = $2 OR origin = $2) \
         AND ($3 IS NULL OR location = ANY($3) OR origin = ANY($3)) AND ($4 IS NULL OR status = $4) \
         AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
    ))
    .bind::<Text, _>(kind.as_str())
    .bind::<Nullable<Text>, _>(&filter.location)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<Text>, _>(filter.status)
    .bind::<Nullable<SqlUuid>, _>(filter.before)
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?)
}

impl Delivery {
    /// A delivery to a location, written at this instant.
    pub fn new(id: Uuid, status: &'static str, location: String, at: Timestamp, by: String) -> Self {
        Self {
            id,
            status: status.to_owned(),
            origin: None,
            location,
            supplier: None,
            reason: None,
            reference: None,
            expected_at: None,
            created_at: at.utc(),
            created_by: by,
            changed_at: at.utc(),
            version: 1,
        }
    }

    /// It stands elsewhere now.
    pub fn becomes(&mut self, status: &'static str, at: Timestamp) {
        status.clone_into(&mut self.status);
        self.changed_at = at.utc();
        self.version = self.version.saturating_add(1);
    }
}
