//! What the database alone could do: the rows of the measured orders written again by set-based SQL, in batches, with
//! nothing around it; and one row written by everybody in turn.

use std::thread;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::report::{Limit, Report};
use crate::Deployment;

/// Orders in one transaction: about as many as one of OnePool's batches takes under full load.
const BATCH: i64 = 64;

/// Connections that write one row: more do not make it faster, since all but one of them wait for it.
const CLIENTS: usize = 32;

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Writes the rows of `orders` orders again into tables of the same shape, and answers orders a second.
pub fn measure(deployment: &Deployment, orders: i64, report: &mut Report) -> f64 {
    let mut connection = deployment.try_connect().expect("the database is there");
    // Every table of the order book and the stock pool that has rows of an order.
    let tables: Vec<Table> = diesel::sql_query(
        "SELECT format('%I.%I', c.table_schema, c.table_name) AS name FROM information_schema.columns c \
         JOIN information_schema.tables t USING (table_schema, table_name) \
         WHERE c.column_name = 'order_id' AND c.table_schema IN ('order', 'inventory') AND t.table_type = 'BASE TABLE' \
         ORDER BY 1",
    )
    .load(&mut connection)
    .expect("the tables can be listed");
    let prepare: String = tables
        .iter()
        .enumerate()
        .map(|(n, table)| {
            format!("CREATE TABLE bench_limit.t{n} (LIKE {} INCLUDING ALL EXCLUDING IDENTITY);", table.name)
        })
        .collect();
    let order = format!(
        "DROP SCHEMA IF EXISTS bench_limit CASCADE; CREATE SCHEMA bench_limit; {prepare} \
         CREATE TABLE bench_limit.chosen AS SELECT order_id, (row_number() OVER (ORDER BY order_id) - 1) / {BATCH} AS batch \
         FROM (SELECT order_id FROM \"order\".orders ORDER BY order_id DESC LIMIT {orders}) AS o; \
         CREATE INDEX ON bench_limit.chosen (batch); ANALYZE bench_limit.chosen"
    );
    connection.batch_execute(&order).expect("the tables can be copied");
    let began = Instant::now();
    for batch in 0..=orders / BATCH {
        let copy: String = tables
            .iter()
            .enumerate()
            .map(|(n, table)| {
                format!(
                    "INSERT INTO bench_limit.t{n} SELECT * FROM {} WHERE order_id = ANY (ARRAY(SELECT order_id FROM \
                     bench_limit.chosen WHERE batch = {batch}));",
                    table.name
                )
            })
            .collect();
        connection.batch_execute(&format!("BEGIN; {copy} COMMIT")).expect("rows of the same shape are taken");
    }
    let per_second = orders as f64 / began.elapsed().as_secs_f64();
    connection.batch_execute("DROP SCHEMA bench_limit CASCADE").expect("the copies can be dropped");
    report.figure("db_limit_orders_per_second", per_second, Limit::None);
    per_second
}

/// What one row can take: guarded updates of it a second, each in a transaction of its own, by clients that talk to
/// PostgreSQL and do nothing else.
pub fn one_row(deployment: &Deployment, updates: usize, report: &mut Report) {
    let connect = || deployment.try_connect().expect("the database is there");
    connect()
        .batch_execute(
            "DROP SCHEMA IF EXISTS bench_limit CASCADE; CREATE SCHEMA bench_limit; \
             CREATE TABLE bench_limit.hot (sku text PRIMARY KEY, on_hand bigint NOT NULL, reserved bigint NOT NULL, \
             CHECK (reserved <= on_hand)) WITH (fillfactor = 70); \
             INSERT INTO bench_limit.hot VALUES ('HOT', 1000000000, 0)",
        )
        .expect("a table can be made");
    let mut clients: Vec<PgConnection> = (0..CLIENTS).map(|_| connect()).collect();
    for client in &mut clients {
        let prepare = "PREPARE take AS UPDATE bench_limit.hot SET reserved = reserved + 1 WHERE sku = 'HOT' AND \
                       on_hand - reserved >= 1";
        client.batch_execute(prepare).expect("the update can be planned");
    }
    let (each, began) = (updates / CLIENTS, Instant::now());
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || (0..each).for_each(|_| client.batch_execute("EXECUTE take").expect("a unit is taken")));
        }
    });
    let took = began.elapsed();
    let taken = deployment.number("SELECT reserved AS number FROM bench_limit.hot");
    report.must(&format!("one row: {taken} units were taken"), usize::try_from(taken) == Ok(each * CLIENTS));
    report.figure("row_lock_limit_per_second", taken as f64 / took.as_secs_f64(), Limit::None);
    connect().batch_execute("DROP SCHEMA bench_limit CASCADE").expect("the table can be dropped");
}
