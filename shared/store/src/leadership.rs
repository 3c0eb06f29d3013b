//! Leadership: of all replicas of a service, one does the work that must not be done twice at once.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::{Error, Store};

/// A session-level advisory lock on a connection of its own; dropping it, or losing the connection, gives it up.
pub struct Leadership {
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct Granted {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

impl Leadership {
    /// Tries to lead `role` within the store's schema; none when another process does.
    ///
    /// Blocks on the network: call it inside `Store::blocking`.
    fn try_acquire(url: &str, schema: &str, role: &str) -> Result<Option<Self>, Error> {
        let mut connection = PgConnection::establish(url).map_err(|error| Error::Unavailable(error.to_string()))?;
        // A leader whose machine vanished must not lead for the two hours that the system's own keep-alive takes.
        connection.batch_execute(
            "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
        )?;
        let row: Granted = diesel::sql_query("SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS granted")
            .bind::<Text, _>(format!("onepool/{schema}/{role}"))
            .get_result(&mut connection)?;
        Ok(row.granted.then_some(Self { connection }))
    }

    fn check(&mut self) -> Result<(), Error> {
        Ok(self.connection.batch_execute("SELECT 1")?)
    }
}

impl Store {
    /// Tries to lead `role` among all replicas of this service.
    pub async fn lead(&self, role: &'static str) -> Result<Option<Leadership>, Error> {
        let (url, schema) = (self.options.url.clone(), self.options.schema.clone());
        self.blocking(move || Leadership::try_acquire(&url, &schema, role)).await
    }

    /// Makes sure that leadership is still held; an error means that it may be someone else's by now.
    pub async fn still_leads(&self, mut leadership: Leadership) -> Result<Leadership, Error> {
        self.blocking(move || leadership.check().map(|()| leadership)).await
    }

    #[expect(clippy::disallowed_methods, reason = "short blocking work beside the pool, once in seconds")]
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|lost| Error::Unavailable(format!("the work was lost: {lost}")))?
    }
}
