//! Creates and removes machine clients, and checks who asks for a token.

use std::collections::BTreeSet;

use contracts::{Problem, ProblemCode};
use store::{Error, Tx};

use crate::domain::client::Client;
use crate::domain::secret;
use crate::store::clients::{self, Stored};

/// Why a client was not created.
#[derive(Debug)]
pub enum Refusal {
    /// Broken rules, each as (field, what is wrong).
    Invalid(Vec<(String, String)>),
    /// There is one with this id.
    Taken,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(faults) => faults
                .into_iter()
                .fold(Self::new(ProblemCode::InvalidField), |problem, (field, detail)| problem.field(field, detail)),
            Refusal::Taken => Self::new(ProblemCode::Contradiction).field("client_id", "belongs to another client"),
            Refusal::Store(error) => error.into(),
        }
    }
}

const HASHING: Error = Error::Broken("secrets can be hashed");

/// Creates a client with the hash of a secret that only the caller knows.
pub fn create_client(tx: &mut Tx<'_>, client: &Client, secret_hash: &str) -> Result<(), Refusal> {
    let faults = client.check();
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    if clients::find(tx, &client.client_id)?.is_some() {
        return Err(Refusal::Taken);
    }
    Ok(clients::upsert(tx, client, secret_hash)?)
}

/// Sees to it that the administrator exists and has this secret; says whether it had another one.
pub fn put_administrator(tx: &mut Tx<'_>, client_id: &str, client_secret: &str) -> Result<bool, Error> {
    let found = clients::find(tx, client_id)?;
    if found.as_ref().is_some_and(|stored| secret::matches(client_secret, &stored.secret_hash)) {
        return Ok(false);
    }
    let administrator = Client {
        client_id: client_id.to_owned(),
        name: "Administrator".to_owned(),
        permissions: BTreeSet::from(["*".to_owned()]),
        channels: None,
        locations: None,
        payees: None,
    };
    clients::upsert(tx, &administrator, &secret::hash(client_secret).ok_or(HASHING)?)?;
    Ok(found.is_some())
}

/// The client whose secret this is. An unknown id costs as much time as a wrong secret.
pub fn authenticate(found: Option<Stored>, client_secret: &str) -> Option<Client> {
    match found {
        Some(stored) => secret::matches(client_secret, &stored.secret_hash).then_some(stored.client),
        None => {
            secret::hash(client_secret);
            None
        }
    }
}
