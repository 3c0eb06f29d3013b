//! Migrations that are gone back: each `down.sql` must leave the schema that was there before its `up.sql`.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::TestDatabase;

// Everything that a migration can make, but for the order of columns: one that is dropped and made again stands last.
const SHAPE: &str = "\
WITH tables AS (
    SELECT oid, relname, relkind, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p', 'v', 'S') AND relname NOT LIKE '\\_\\_diesel%'
)
SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '') AS line FROM tables
UNION ALL SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
        || CASE WHEN attnotnull THEN ' not null' ELSE '' END || ' identity ' || attidentity::text || ' generated '
        || attgenerated::text || ' collation ' || attcollation || ' default ' || coalesce(pg_get_expr(adbin, adrelid), '')
    FROM tables JOIN pg_attribute ON attrelid = tables.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint ' || relname || '.' || conname || ' ' || pg_get_constraintdef(c.oid)
    FROM tables JOIN pg_constraint c ON conrelid = tables.oid WHERE contype <> 'n'
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_\\_diesel%'
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(g.oid)
    FROM tables JOIN pg_trigger g ON tgrelid = tables.oid WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')
ORDER BY line";

/// Runs every migration of these sets, goes back one after the other, and runs them again. Panics where going back leaves
/// something else than was there before, and says what.
pub fn go_back_and_forth(schema: &str, sets: &[&'static EmbeddedMigrations]) {
    let database = TestDatabase::empty();
    let mut connection = PgConnection::establish(database.url()).expect("the test database can be reached");
    let own = format!("CREATE SCHEMA \"{schema}\"; SET search_path TO \"{schema}\", public");
    connection.batch_execute(&own).expect("a schema of its own");
    // Asked what has run, Diesel makes the table in which it notes that.
    assert_eq!(connection.applied_migrations().expect("the database can be asked"), []);
    let all: Vec<Box<dyn Migration<Pg>>> = sets
        .iter()
        .flat_map(|set| MigrationSource::<Pg>::migrations(*set).expect("embedded migrations can be listed"))
        .collect();
    assert!(!all.is_empty(), "{schema} has migrations");
    let mut shapes = vec![shape(&mut connection)];
    for migration in &all {
        run(&mut connection, migration.as_ref());
        shapes.push(shape(&mut connection));
    }
    let last = shapes.pop().expect("a shape after each");
    for (migration, before) in all.iter().zip(&shapes).rev() {
        let gone = connection.revert_migration(migration.as_ref());
        gone.unwrap_or_else(|error| panic!("{schema}: {} is not gone back: {error}", migration.name()));
        is_same(&format!("{schema}: going back before {}", migration.name()), &shape(&mut connection), before);
    }
    for migration in &all {
        run(&mut connection, migration.as_ref());
    }
    is_same(&format!("{schema}: forth again"), &shape(&mut connection), &last);
}

fn run(connection: &mut PgConnection, migration: &dyn Migration<Pg>) {
    let ran = connection.run_migration(migration);
    ran.unwrap_or_else(|error| panic!("{} does not run: {error}", migration.name()));
}

fn shape(connection: &mut PgConnection) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let rows: Vec<Row> = diesel::sql_query(SHAPE).load(connection).expect("the catalogue can be read");
    rows.into_iter().map(|row| row.line).collect()
}

fn is_same(what: &str, is: &[String], should_be: &[String]) {
    let left: Vec<&String> = is.iter().filter(|line| !should_be.contains(line)).collect();
    let gone: Vec<&String> = should_be.iter().filter(|line| !is.contains(line)).collect();
    assert!(left.is_empty() && gone.is_empty(), "{what}\nleaves {left:#?}\nand lacks {gone:#?}");
}
