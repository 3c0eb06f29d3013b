//! Migrations: every set a service names runs in the service's own schema, under one lock.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{Error, Store};

/// Outbox, inbox, idempotency and dead letters: what every schema has.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/platform");

/// Diesel takes a set of migrations by value only.
struct Borrowed(&'static EmbeddedMigrations);

impl MigrationSource<Pg> for Borrowed {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}

impl Store {
    /// Brings the schema up to date and answers the names of the migrations that ran.
    pub async fn migrate(&self, sets: Vec<&'static EmbeddedMigrations>) -> Result<Vec<String>, Error> {
        let store = self.clone();
        self.blocking(move || run(&store, &sets)).await
    }

    /// The names of the migrations that have not run yet.
    pub async fn pending_migrations(&self, sets: Vec<&'static EmbeddedMigrations>) -> Result<Vec<String>, Error> {
        let store = self.clone();
        self.blocking(move || {
            let mut connection = store.pool.get().map_err(|error| Error::Unavailable(error.to_string()))?;
            let mut names = Vec::new();
            for set in sets {
                let pending = connection.pending_migrations(Borrowed(set)).map_err(failed)?;
                names.extend(pending.iter().map(|migration| migration.name().to_string()));
            }
            Ok(names)
        })
        .await
    }
}

fn run(store: &Store, sets: &[&'static EmbeddedMigrations]) -> Result<Vec<String>, Error> {
    // A connection of its own: migrations may take longer than a statement of the service is allowed to.
    let url = store.url();
    let mut connection = PgConnection::establish(url).map_err(|error| Error::Unavailable(error.to_string()))?;
    let schema = store.schema();
    // One lock for the whole database: extensions are made by whoever comes first.
    connection.batch_execute("SELECT pg_advisory_lock(hashtextextended('onepool/migrate', 0))")?;
    connection.batch_execute(&format!(
        "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS \"{schema}\"; SET search_path TO \"{schema}\", public"
    ))?;
    let mut names = Vec::new();
    for set in sets {
        let ran = connection.run_pending_migrations(Borrowed(set)).map_err(failed)?;
        names.extend(ran.iter().map(ToString::to_string));
    }
    Ok(names)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    tracing::error!(error = %error, "a migration failed");
    Error::Database(diesel::result::Error::QueryBuilderError(error))
}
