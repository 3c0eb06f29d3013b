//! What orders refer to — channels, SKUs, locations, listings — as order knows it from their owners' events.
//!
//! The tables are the truth; the memory in front of them may be behind by `KEPT` in a process that does not hear the
//! events itself. A reference that is not known is looked for once more for up to a second, outside any transaction, so
//! that whoever has just created a thing is not refused for being faster than its event.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::store::{Error, Store};
use contracts::FieldError;
use contracts::events::{BundleComponent, ChannelChanged, ListingChanged, LocationChanged, SkuChanged, SkuStatus};
use kernel::{ChannelCode, Currency, LocationCode, SkuCode};
use moka::sync::Cache;

use crate::domain::form::OrderForm;
use crate::domain::pos::form::PosForm;
use crate::store::references as table;
use crate::store::{code, from_json_list};

/// How long a copy in memory is believed.
const KEPT: Duration = Duration::from_secs(30);
/// The most entries of each kind in memory: twice the SKUs that OnePool is designed for.
const MAX_ENTRIES: u64 = 200_000;
/// How often, and how far apart, an unknown reference is looked for again: one second in all.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The currency its orders are in.
    pub currency: Currency,
    /// Whether it may place orders.
    pub active: bool,
    version: i64,
}

/// A SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sku {
    /// Its code.
    pub code: SkuCode,
    /// Whether it is sold.
    pub active: bool,
    /// Its category.
    pub category: Option<String>,
    /// What a bundle is made of.
    pub components: Vec<BundleComponent>,
    version: i64,
}

/// A location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Whether it takes part.
    pub active: bool,
    /// Whether it takes returns.
    pub takes_returns: bool,
    version: i64,
}

/// What has to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    channels: BTreeSet<ChannelCode>,
    skus: BTreeSet<SkuCode>,
    locations: BTreeSet<LocationCode>,
    listings: BTreeSet<(ChannelCode, SkuCode)>,
}

impl Needs {
    /// Adds what an order refers to.
    pub fn add_order(&mut self, form: &OrderForm) {
        self.add_channel(&form.channel);
        for location in form.fulfilment.location.iter().chain(&form.store) {
            self.add_location(location);
        }
        for line in &form.lines {
            if let Some(sku) = &line.sku {
                self.add_sku(sku);
            } else if let Some(channel_sku) = &line.channel_sku {
                self.listings.insert((form.channel.clone(), channel_sku.clone()));
            }
        }
    }

    /// Adds what a till's transaction refers to.
    pub fn add_pos(&mut self, form: &PosForm) {
        self.add_channel(&form.channel);
        self.add_location(&form.store);
        for line in &form.lines {
            self.add_sku(&line.sku);
        }
    }

    /// Adds a channel.
    pub fn add_channel(&mut self, channel: &ChannelCode) {
        if !self.channels.contains(channel) {
            self.channels.insert(channel.clone());
        }
    }

    /// Adds a SKU.
    pub fn add_sku(&mut self, sku: &SkuCode) {
        if !self.skus.contains(sku) {
            self.skus.insert(sku.clone());
        }
    }

    /// Adds a location.
    pub fn add_location(&mut self, location: &LocationCode) {
        if !self.locations.contains(location) {
            self.locations.insert(location.clone());
        }
    }

    fn add(&mut self, mut other: Self) {
        self.channels.append(&mut other.channels);
        self.skus.append(&mut other.skus);
        self.locations.append(&mut other.locations);
        self.listings.append(&mut other.listings);
    }

    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.skus.is_empty() && self.locations.is_empty() && self.listings.is_empty()
    }
}

/// What was found; what is not in here is not known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    channels: HashMap<ChannelCode, Channel>,
    skus: HashMap<SkuCode, Arc<Sku>>,
    locations: HashMap<LocationCode, Location>,
    listings: HashMap<(ChannelCode, SkuCode), SkuCode>,
}

/// Why references do not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not known.
    Unknown(Vec<FieldError>),
    /// Known, but not to be used.
    Inactive(Vec<FieldError>),
    /// The channel sells in another currency.
    Currency(FieldError),
}

impl Known {
    /// A channel, when known.
    pub fn channel(&self, channel: &ChannelCode) -> Option<&Channel> {
        self.channels.get(channel)
    }

    /// A SKU, when known.
    pub fn sku(&self, sku: &SkuCode) -> Option<&Arc<Sku>> {
        self.skus.get(sku)
    }

    /// A location, when known.
    pub fn location(&self, location: &LocationCode) -> Option<Location> {
        self.locations.get(location).copied()
    }

    /// The SKU of each line of an order, or what does not hold.
    pub fn order(&self, form: &OrderForm) -> Result<Vec<Arc<Sku>>, Refusal> {
        let mut unknown = Vec::new();
        let mut inactive = Vec::new();
        let fault =
            |field: String, code: &kernel::Code, what: &str| FieldError { field, detail: format!("{code} is {what}") };
        match self.channel(&form.channel) {
            None => unknown.push(fault("channel".to_owned(), &form.channel, "not a known channel")),
            Some(channel) if !channel.active => {
                inactive.push(fault("channel".to_owned(), &form.channel, "not an active channel"));
            }
            Some(channel) if channel.currency != form.currency => {
                let detail = format!("is {}, the channel sells in {}", form.currency, channel.currency);
                return Err(Refusal::Currency(FieldError { field: "currency".to_owned(), detail }));
            }
            Some(_) => {}
        }
        for (field, location) in [("fulfilment.location", &form.fulfilment.location), ("store", &form.store)] {
            let Some(location) = location else { continue };
            match self.location(location) {
                None => unknown.push(fault(field.to_owned(), location, "not a known location")),
                Some(known) if !known.active => {
                    inactive.push(fault(field.to_owned(), location, "not an active location"))
                }
                Some(_) => {}
            }
        }
        let mut skus = Vec::with_capacity(form.lines.len());
        for (index, line) in form.lines.iter().enumerate() {
            let listed = line.channel_sku.clone().and_then(|sku| self.listings.get(&(form.channel.clone(), sku)));
            let (name, given) =
                if line.sku.is_some() { ("sku", &line.sku) } else { ("channel_sku", &line.channel_sku) };
            let Some(given) = given else { continue };
            match line.sku.as_ref().or(listed).and_then(|sku| self.sku(sku)) {
                None => unknown.push(fault(format!("lines[{index}].{name}"), given, "not a known SKU")),
                Some(sku) if !sku.active => {
                    inactive.push(fault(format!("lines[{index}].{name}"), given, "not an active SKU"))
                }
                Some(sku) => skus.push(Arc::clone(sku)),
            }
        }
        match (unknown.is_empty(), inactive.is_empty()) {
            (true, true) => Ok(skus),
            (true, false) => Err(Refusal::Inactive(inactive)),
            (false, _) => Err(Refusal::Unknown(unknown)),
        }
    }
}

impl Known {
    /// The SKU of each line of a till's transaction, or what is not known. What was sold was sold: nothing has to be active.
    pub fn pos(&self, form: &PosForm) -> Result<Vec<Arc<Sku>>, Refusal> {
        let mut unknown = Vec::new();
        let fault =
            |field: String, code: &kernel::Code, what: &str| FieldError { field, detail: format!("{code} is {what}") };
        match self.channel(&form.channel) {
            None => unknown.push(fault("channel".to_owned(), &form.channel, "not a known channel")),
            Some(channel) if channel.currency != form.currency => {
                let detail = format!("is {}, the channel sells in {}", form.currency, channel.currency);
                return Err(Refusal::Currency(FieldError { field: "currency".to_owned(), detail }));
            }
            Some(_) => {}
        }
        if self.location(&form.store).is_none() {
            unknown.push(fault("store".to_owned(), &form.store, "not a known location"));
        }
        let mut skus = Vec::with_capacity(form.lines.len());
        for (index, line) in form.lines.iter().enumerate() {
            match self.sku(&line.sku) {
                None => unknown.push(fault(format!("lines[{index}].sku"), &line.sku, "not a known SKU")),
                Some(sku) => skus.push(Arc::clone(sku)),
            }
        }
        if unknown.is_empty() { Ok(skus) } else { Err(Refusal::Unknown(unknown)) }
    }
}

/// The memory in front of the tables. Cloning shares it.
#[derive(Clone)]
pub struct References {
    store: Store,
    channels: Cache<ChannelCode, Channel>,
    skus: Cache<SkuCode, Arc<Sku>>,
    locations: Cache<LocationCode, Location>,
    listings: Cache<(ChannelCode, SkuCode), SkuCode>,
    wanted: Arc<Wanted>,
}

/// What is to be read from the tables. Whoever reads takes along what the others want meanwhile.
#[derive(Default)]
struct Wanted {
    needs: Mutex<Needs>,
    reading: tokio::sync::Mutex<()>,
}

impl Wanted {
    fn needs(&self) -> MutexGuard<'_, Needs> {
        self.needs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl References {
    /// An empty memory.
    pub fn new(store: Store) -> Self {
        fn cache<K, V>() -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(KEPT).build()
        }
        let wanted = Arc::default();
        Self { store, channels: cache(), skus: cache(), locations: cache(), listings: cache(), wanted }
    }

    /// Looks everything up: in memory, then in the tables, then again for a second.
    pub async fn find(&self, needs: &Needs) -> Result<Known, Error> {
        let mut known = Known::default();
        let mut missing = self.recall(needs, &mut known);
        for look in 0..=LOOKS {
            if missing.is_empty() {
                break;
            }
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            self.load(missing).await?;
            missing = self.recall(needs, &mut known);
            // A listing that was found just now asks for its SKU, which is there already: no reason to wait.
            if !missing.skus.is_empty() && !missing.skus.is_subset(&needs.skus) {
                self.load(missing).await?;
                missing = self.recall(needs, &mut known);
            }
        }
        Ok(known)
    }

    /// Takes over what is in memory; answers what is not.
    fn recall(&self, needs: &Needs, known: &mut Known) -> Needs {
        let mut missing = Needs::default();
        for code in &needs.channels {
            match self.channels.get(code) {
                Some(channel) => drop(known.channels.insert(code.clone(), channel)),
                None => missing.add_channel(code),
            }
        }
        for code in &needs.locations {
            match self.locations.get(code) {
                Some(location) => drop(known.locations.insert(code.clone(), location)),
                None => missing.add_location(code),
            }
        }
        for key in &needs.listings {
            match self.listings.get(key) {
                Some(sku) => {
                    self.recall_sku(&sku, known, &mut missing);
                    known.listings.insert(key.clone(), sku);
                }
                None => drop(missing.listings.insert(key.clone())),
            }
        }
        for code in &needs.skus {
            self.recall_sku(code, known, &mut missing);
        }
        missing
    }

    fn recall_sku(&self, code: &SkuCode, known: &mut Known, missing: &mut Needs) {
        match self.skus.get(code) {
            Some(sku) => drop(known.skus.insert(code.clone(), sku)),
            None => missing.add_sku(code),
        }
    }

    async fn load(&self, missing: Needs) -> Result<(), Error> {
        self.wanted.needs().add(missing);
        let _reading = self.wanted.reading.lock().await;
        let wanted = std::mem::take(&mut *self.wanted.needs());
        if wanted.is_empty() { Ok(()) } else { self.read(wanted).await }
    }

    async fn read(&self, missing: Needs) -> Result<(), Error> {
        fn texts(codes: &BTreeSet<kernel::Code>) -> Vec<String> {
            codes.iter().map(ToString::to_string).collect()
        }
        let (channels, skus, locations) = (texts(&missing.channels), texts(&missing.skus), texts(&missing.locations));
        let listings: Vec<(String, String)> =
            missing.listings.iter().map(|(channel, sku)| (channel.to_string(), sku.to_string())).collect();
        let memory = self.clone();
        self.store
            .read("find_references", move |tx| {
                if !channels.is_empty() {
                    for row in table::channels(tx, &channels)? {
                        let currency =
                            row.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?;
                        memory.put_channel(
                            code(&row.channel)?,
                            Channel { currency, active: row.active, version: row.version },
                        );
                    }
                }
                if !locations.is_empty() {
                    for row in table::locations(tx, &locations)? {
                        let (active, takes_returns, version) = (row.active, row.takes_returns, row.version);
                        memory.put_location(code(&row.location)?, Location { active, takes_returns, version });
                    }
                }
                if !listings.is_empty() {
                    for row in table::listings(tx, &listings)? {
                        memory.listings.insert((code(&row.channel)?, code(&row.channel_sku)?), code(&row.sku)?);
                    }
                }
                if !skus.is_empty() {
                    for row in table::skus(tx, &skus)? {
                        let components = from_json_list(row.components.as_deref())?;
                        let (active, category, version) = (row.active, row.category, row.version);
                        memory.put_sku(Sku { code: code(&row.sku)?, active, category, components, version });
                    }
                }
                Ok(())
            })
            .await
    }

    fn put_channel(&self, code: ChannelCode, channel: Channel) {
        if self.channels.get(&code).is_none_or(|known| known.version <= channel.version) {
            self.channels.insert(code, channel);
        }
    }

    fn put_sku(&self, sku: Sku) {
        if self.skus.get(&sku.code).is_none_or(|known| known.version <= sku.version) {
            self.skus.insert(sku.code.clone(), Arc::new(sku));
        }
    }

    fn put_location(&self, code: LocationCode, location: Location) {
        if self.locations.get(&code).is_none_or(|known| known.version <= location.version) {
            self.locations.insert(code, location);
        }
    }

    /// Takes a channel's event into memory: a fact, whatever becomes of the transaction that copies it.
    pub fn hear_channel(&self, it: &ChannelChanged) {
        self.put_channel(it.channel.clone(), Channel { currency: it.currency, active: it.active, version: it.version });
    }

    /// Takes a SKU's event into memory.
    pub fn hear_sku(&self, it: &SkuChanged) {
        self.put_sku(Sku {
            code: it.sku.clone(),
            active: it.status == SkuStatus::Active,
            category: it.category.clone(),
            components: it.bundle.clone(),
            version: it.version,
        });
    }

    /// Takes a location's event into memory.
    pub fn hear_location(&self, it: &LocationChanged) {
        let (active, takes_returns, version) = (it.active, it.may_take_returns(), it.version);
        self.put_location(it.location.clone(), Location { active, takes_returns, version });
    }

    /// Forgets a listing that changed: the next order reads it from its table.
    pub fn hear_listing(&self, it: &ListingChanged) {
        self.listings.invalidate(&(it.channel.clone(), it.channel_sku.clone()));
    }
}
