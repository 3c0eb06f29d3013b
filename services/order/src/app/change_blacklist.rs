//! Puts buyers on the blacklist of orders, and takes them off it. Only digests of their identities are kept.

use ::store::Tx;
use contracts::requests::IdentityForm;
use contracts::{Problem, ProblemCode};
use kernel::id::uuid_at;
use kernel::{ChannelCode, Timestamp};
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::Refusal;
use crate::domain::content::identity_digest;
use crate::store::blacklist::{self, EntryRow};

/// The most entries: far more than people keep by hand.
pub const MAX_ENTRIES: i64 = 100_000;

/// Who is not to order.
#[derive(Clone, Debug)]
pub struct Blacklist {
    /// One of their identities, as channels hand it in.
    pub identity: IdentityForm,
    /// Where; in every channel, when left out.
    pub channel: Option<ChannelCode>,
    /// Why.
    pub reason: String,
    /// Until when; for good, when left out.
    pub expires_at: Option<Timestamp>,
}

/// Puts an identity on the list, or says something else of it; answers the entry, and whether it is new.
pub fn put_on_blacklist(tx: &mut Tx<'_>, command: &Blacklist, caller: &Caller) -> Result<(EntryRow, bool), Refusal> {
    check_channel(command.channel.as_ref(), caller)?;
    let row = EntryRow {
        entry_id: uuid_at(tx.now()),
        digest: identity_digest(&command.identity),
        kind: command.identity.kind.clone(),
        channel: command.channel.as_ref().map(ToString::to_string),
        reason: command.reason.clone(),
        expires_at: command.expires_at.map(Timestamp::utc),
        placed_at: tx.now().utc(),
        placed_by: caller.principal.client_id.to_string(),
    };
    let (entry_id, is_new) = blacklist::put(tx, &row)?;
    if is_new && blacklist::has_more_than(tx, MAX_ENTRIES)? {
        return Err(Refusal::State(format!("the blacklist has {MAX_ENTRIES} entries, which is the most")));
    }
    Ok((EntryRow { entry_id, ..row }, is_new))
}

/// Takes an entry off the list.
pub fn take_off_blacklist(tx: &mut Tx<'_>, id: Uuid, caller: &Caller) -> Result<(), Refusal> {
    let missing = || Refusal::NotFound { what: "blacklist entry", key: id.to_string() };
    let row = blacklist::find(tx, id)?.ok_or_else(missing)?;
    let channel = row.channel.as_deref().map(crate::store::code).transpose()?;
    check_channel(channel.as_ref(), caller)?;
    Ok(blacklist::remove(tx, id)?)
}

/// What holds in every channel is for those who may see every channel.
fn check_channel(channel: Option<&ChannelCode>, caller: &Caller) -> Result<(), Refusal> {
    match channel {
        Some(channel) => caller.check_channel(channel),
        None if caller.principal.channel_filter().is_none() => Ok(()),
        None => Err(Refusal::OutOfScope(
            Problem::new(ProblemCode::Forbidden).detail("the client is bound to channels: name one of them"),
        )),
    }
}
