//! `channel.changed`, `sku.changed`, `location.changed`, `listing.changed`: what orders may refer to is copied.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::{ChannelChanged, ListingChanged, LocationChanged, SkuChanged};
use store::Tx;

use super::payloads;
use crate::app::references::References;
use crate::store::references as table;

pub(super) fn channels(tx: &mut Tx<'_>, memory: &References, events: &[Event]) -> Result<(), ConsumeError> {
    let changed: Vec<ChannelChanged> = payloads(events)?;
    table::put_channels(tx, &changed)?;
    changed.iter().for_each(|it| memory.hear_channel(it));
    Ok(())
}

pub(super) fn skus(tx: &mut Tx<'_>, memory: &References, events: &[Event]) -> Result<(), ConsumeError> {
    let changed: Vec<SkuChanged> = payloads(events)?;
    table::put_skus(tx, &changed)?;
    changed.iter().for_each(|it| memory.hear_sku(it));
    Ok(())
}

pub(super) fn locations(tx: &mut Tx<'_>, memory: &References, events: &[Event]) -> Result<(), ConsumeError> {
    let changed: Vec<LocationChanged> = payloads(events)?;
    table::put_locations(tx, &changed)?;
    changed.iter().for_each(|it| memory.hear_location(it));
    Ok(())
}

pub(super) fn listings(tx: &mut Tx<'_>, memory: &References, events: &[Event]) -> Result<(), ConsumeError> {
    let changed: Vec<ListingChanged> = payloads(events)?;
    table::put_listings(tx, &changed)?;
    changed.iter().for_each(|it| memory.hear_listing(it));
    Ok(())
}
