//! A database per test, copied from a template that is migrated once per test program and set of migrations.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use contracts::{Event, Payload};
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::EmbeddedMigrations;
use store::{Store, StoreOptions};

use crate::{ManualClock, address, unique};

/// A database that lives as long as the value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// An empty database.
    pub fn empty() -> Self {
        Self::copy_of("template0")
    }

    fn copy_of(template: &str) -> Self {
        let name = unique("test");
        administer(&format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"));
        Self { url: url_of(&name), name }
    }

    /// `postgres://…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL on a connection of its own, past everything the product guards.
    pub fn execute(&self, sql: &str) {
        connect(&self.url).batch_execute(sql).expect("the test's SQL is right");
    }

    /// The one whole number that `sql` selects as `number`.
    pub fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        diesel::sql_query(sql).get_result::<Row>(&mut connect(&self.url)).expect("a row with a bigint `number`").number
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The servers of a test run are thrown away anyhow: a failing test must not fail twice.
        if let Ok(mut admin) = PgConnection::establish(&address("ONEPOOL_TEST_POSTGRES")) {
            let _left_behind = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// A service's store on a database of its own, with a clock that the test moves.
pub struct TestStore {
    /// The store, as the service gets it.
    pub store: Store,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its database.
    pub database: TestDatabase,
}

impl TestStore {
    /// A store for the service `schema` after `sets` of migrations, in the order they run.
    pub async fn new(schema: &str, sets: &[&'static EmbeddedMigrations]) -> Self {
        Self::at(schema, sets, ManualClock::new()).await
    }

    /// As [`TestStore::new`], with a clock that others share.
    pub async fn at(schema: &str, sets: &[&'static EmbeddedMigrations], clock: Arc<ManualClock>) -> Self {
        let (name, sets) = (schema.to_owned(), sets.to_vec());
        // Waiting for another test's template must not keep that test from being polled.
        #[expect(clippy::disallowed_methods, reason = "tests have no pool yet whose work this could be")]
        let made = tokio::task::spawn_blocking(move || TestDatabase::copy_of(&template(&name, &sets)));
        Self::on(made.await.expect("a migrated database can be made"), schema, clock)
    }

    /// A store for the service `schema` on a database that is there, with this clock.
    pub fn on(database: TestDatabase, schema: &str, clock: Arc<ManualClock>) -> Self {
        let store =
            Store::connect(StoreOptions::new(database.url(), schema), clock.clone()).expect("a valid schema name");
        Self { store, clock, database }
    }
}

/// Every event that the store's transactions told and that was not sent yet, in order.
pub async fn outbox_events(store: &Store) -> Vec<Event> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        body: String,
    }
    let rows = store.read("outbox_events", |tx| {
        Ok::<Vec<Row>, store::Error>(diesel::sql_query("SELECT body FROM outbox ORDER BY id").load(tx.conn())?)
    });
    let rows = rows.await.expect("the outbox can be read");
    rows.iter().flat_map(|row| serde_json::from_str::<Vec<Event>>(&row.body).expect("a batch of CloudEvents")).collect()
}

/// The payloads of one kind among [`outbox_events`].
pub async fn told<P: Payload>(store: &Store) -> Vec<P> {
    let events = outbox_events(store).await;
    let ours = events.iter().filter(|event| event.kind == P::KIND);
    ours.map(|event| event.payload().expect("a payload as its kind promises")).collect()
}

/// The name of the migrated template, made by whichever test comes first, in this process or another.
fn template(schema: &str, sets: &[&'static EmbeddedMigrations]) -> String {
    let name = template_name(schema, sets);
    let mut admin = connect(&address("ONEPOOL_TEST_POSTGRES"));
    // The lock is the session's: it goes with the connection, also when a migration fails.
    admin.batch_execute(&format!("SELECT pg_advisory_lock(hashtextextended('testkit/{name}', 0))")).expect("the lock");
    if is_template(&mut admin, &name) {
        return name;
    }
    // What an interrupted run left half migrated is not marked as a template yet.
    let fresh = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    admin.batch_execute(&fresh).expect("half a template can be dropped");
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).expect("a database can be made");
    let options = StoreOptions::new(url_of(&name), schema);
    let store = Store::connect(options, ManualClock::new()).expect("a valid schema name");
    let migrated = tokio::runtime::Handle::current().block_on(store.migrate(sets.to_vec()));
    migrated.expect("the migrations run on an empty database");
    drop(store);
    admin
        .batch_execute(&format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';
             ALTER DATABASE {name} IS_TEMPLATE true"
        ))
        .expect("the template can be closed");
    name
}

/// Migrations do not show their text, so a template belongs to the very program that embeds them.
fn template_name(schema: &str, sets: &[&'static EmbeddedMigrations]) -> String {
    let program = std::env::current_exe().expect("the test program has a path");
    let built = program.metadata().and_then(|metadata| metadata.modified()).expect("the test program has an age");
    let mut hasher = DefaultHasher::new();
    (schema, &program, built).hash(&mut hasher);
    for set in sets {
        let migrations = MigrationSource::<Pg>::migrations(*set).expect("embedded migrations can be listed");
        migrations.iter().for_each(|migration| migration.name().to_string().hash(&mut hasher));
    }
    format!("template_{schema}_{:016x}", hasher.finish())
}

fn is_template(admin: &mut PgConnection, name: &str) -> bool {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        ready: bool,
    }
    let query =
        diesel::sql_query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate) AS ready");
    query.bind::<Text, _>(name).get_result::<Row>(admin).expect("the list of databases can be read").ready
}

fn administer(sql: &str) {
    connect(&address("ONEPOOL_TEST_POSTGRES")).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("the test database {url} is not reachable: {error}"))
}

/// The url of another database on the test server.
fn url_of(name: &str) -> String {
    let url = address("ONEPOOL_TEST_POSTGRES");
    let (server, _) = url.rsplit_once('/').expect("ONEPOOL_TEST_POSTGRES is postgres://user@host:port/database");
    format!("{server}/{name}")
}
