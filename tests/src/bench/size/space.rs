//! What a balance takes on disk: its row, its opening movement, and their entries in every index.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{CHAIN, Limit, Report};
use crate::Deployment;

#[derive(QueryableByName)]
struct Relation {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// Bytes per balance of each table and index, of all of them, and what a chain's balances would take.
pub fn measure(deployment: &Deployment, balances: usize, report: &mut Report) {
    let mut connection = deployment.try_connect().expect("the database is there");
    let relations: Vec<Relation> = diesel::sql_query(
        "WITH tables AS (SELECT oid, relname, reltoastrelid FROM pg_class WHERE relnamespace = 'inventory'::regnamespace \
            AND relname IN ('stock', 'movements', 'availability')) \
         SELECT relname || '_heap' AS name, pg_table_size(oid) - coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0) \
            AS bytes FROM tables \
         UNION ALL SELECT relname || '_toast', coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0) FROM tables \
         UNION ALL SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index \
            WHERE indrelid IN (SELECT oid FROM tables) ORDER BY 1",
    )
    .load(&mut connection)
    .expect("the tables have a size");
    let mut total = 0.0;
    for Relation { name, bytes } in relations {
        let name = name.trim_start_matches("inventory.");
        let each = bytes as f64 / balances as f64;
        report.figure(&format!("size_{name}_bytes_per_balance"), each, Limit::None);
        total += each;
    }
    report.figure("size_bytes_per_balance", total, Limit::AtMost(800.0));
    report.figure("size_gib_of_60_million", total * CHAIN / f64::from(1 << 30), Limit::None);
}
