//! Looking after dead letters.

use std::sync::Arc;

use anyhow::bail;
use kernel::{PageRequest, Timestamp};
use runtime::SystemClock;
use runtime::settings::Settings;
use store::dead_letters::{self, DeadLetter};
use store::{Error, Store};

use crate::arguments::DeadLettersCommand;
use crate::database::Databases;
use crate::loading::report;
use crate::roles::Selection;
use crate::terminal::say;

/// Lists, replays or drops dead letters of the chosen services.
pub async fn run(settings: &Settings, role: &Selection, command: DeadLettersCommand) -> anyhow::Result<()> {
    let root = settings.root().map_err(|faults| report(&faults))?;
    let databases = Databases::open(settings, role.descriptors(), &root.data_dir, Arc::new(SystemClock))?;
    let stores: Vec<Store> = role
        .descriptors()
        .map(|descriptor| databases.store(descriptor.name).map(|(store, _)| store))
        .collect::<Result<_, _>>()?;
    let outcome = run_on(&stores, command).await;
    databases.leave();
    outcome
}

async fn run_on(stores: &[Store], command: DeadLettersCommand) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List { parked } => {
            let mut found = false;
            for store in stores {
                found |= list(store, parked).await?;
            }
            if found { Ok(()) } else { say("there are none") }
        }
        DeadLettersCommand::Replay { id } => {
            let store = the_one(stores)?;
            let due: Result<bool, Error> = store.transact("replay", move |tx| dead_letters::replay(tx, id)).await;
            if !due? {
                bail!("{} has no dead letter {id}", store.schema());
            }
            say(&format!("{} {id} is tried again within a second", store.schema()))
        }
        DeadLettersCommand::Drop { id } => {
            let store = the_one(stores)?;
            let dropped: Result<Option<DeadLetter>, Error> =
                store.transact("drop", move |tx| dead_letters::discard(tx, id)).await;
            let Some(letter) = dropped? else { bail!("{} has no dead letter {id}", store.schema()) };
            say(&letter.event)
        }
    }
}

/// Numbers are a service's own, so a change names its service.
fn the_one(stores: &[Store]) -> anyhow::Result<&Store> {
    match stores {
        [store] => Ok(store),
        _ => bail!("numbers are counted per service: name one with --role"),
    }
}

/// Lists a service's dead letters; says whether there were any.
async fn list(store: &Store, parked: bool) -> anyhow::Result<bool> {
    let (mut cursor, mut found) = (None, false);
    loop {
        let page = PageRequest { limit: None, cursor };
        let letters = store.read("list_dead_letters", move |tx| dead_letters::list(tx, parked, &page)).await?;
        found |= !letters.items.is_empty();
        for letter in &letters.items {
            let next = letter.next_attempt_at.map_or("parked".to_owned(), |at| format!("next {}", Timestamp::new(at)));
            let DeadLetter { id, subscription, kind, subject, attempts, reason, .. } = letter;
            say(&format!(
                "{} {id}\t{subscription}\t{kind}\t{subject}\t{attempts} tries\t{next}\t{reason}",
                store.schema()
            ))?;
        }
        cursor = letters.next_cursor;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
