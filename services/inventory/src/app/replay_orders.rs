//! Replays past orders by another ruleset, a page at a time. Nothing it decides has an effect.
//!
//! How far a replay has come, what it found and what its orders took are committed with every page, so that it goes on
//! there after a crash and in another process. The replayed pool is kept in memory in between; it counts only if it is as
//! far as the row says.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Days;
use chrono_tz::Tz;
use kernel::{SkuCode, Timestamp};
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::compare::Comparison;
use crate::domain::replay::{Course, Decided, Ground, Moved, in_order, replay};
use crate::domain::share::{Rule, Rulebook};
use crate::domain::{Atlas, Decision, Loads, Reach, Request, Ruleset, Shelf, Slot};
use crate::store::catalog::{self, Entries};
use crate::store::past::{self, FirstDecision};
use crate::store::replays::{self, Stored};
use crate::store::{code, locations, movements, shares};

/// Orders decided again in one step: enough to share the cost of a page, and a tenth of a second of work.
const PAGE: i64 = 2_000;
/// Movements replayed in one step: some tens of milliseconds.
const MOVED: i64 = 20_000;
/// SKUs whose stock is read in one statement: at a thousand locations a hundred thousand balances, some tenths of a second.
const SKUS: usize = 100;
/// Balances kept: about 100 MB. Beyond it they are forgotten and read again as they are needed.
const MAX_BALANCES: usize = 4_000_000;

/// The replay that runs, if one does.
#[derive(Debug)]
pub struct Replays {
    running: Mutex<Option<Running>>,
    /// The time zone of locations that name none.
    zone: Tz,
    /// Orders decided again in one step.
    page: i64,
}

/// A replay as it is kept in memory between two pages.
#[derive(Debug)]
struct Running {
    stored: Stored,
    channels: Option<HashSet<String>>,
    ruleset: Ruleset,
    atlas: Atlas,
    sharing: Sharing,
    ground: Ground,
    comparison: Comparison,
    balances: usize,
}

/// From where channels may sell, by the rules of today.
#[derive(Debug)]
struct Sharing {
    book: Rulebook,
    reaches: HashMap<i64, Arc<BTreeSet<Slot>>>,
    entries: Entries,
}

impl Replays {
    /// None runs yet.
    pub fn new(zone: Tz) -> Self {
        Self { running: Mutex::default(), zone, page: PAGE }
    }

    /// The same in smaller steps.
    #[must_use]
    pub fn in_pages_of(self, page: i64) -> Self {
        Self { page, ..self }
    }

    /// Replays the next page of the oldest replay; says whether there is more to do.
    pub fn step(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = slot.take();
        let Some(stored) = replays::next(tx)? else { return Ok(false) };
        let id = stored.id;
        match self.run(tx, stored, kept) {
            Ok(running) => *slot = Some(running),
            // What cannot be read now cannot be read later either.
            Err(error @ (Error::Encoding(_) | Error::Broken(_))) => {
                tracing::error!(replay.id = %id, error = %error, "a replay failed");
                if let Some(mut stored) = replays::get(tx, id)? {
                    "failed".clone_into(&mut stored.status);
                    stored.error = Some(error.to_string());
                    replays::advance(tx, &stored)?;
                    replays::clear(tx, id)?;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn run(&self, tx: &mut Tx<'_>, stored: Stored, kept: Option<Running>) -> Result<Running, Error> {
        let mut running = match kept.filter(|kept| kept.is_at(&stored)) {
            Some(kept) => kept,
            None => Running::read(tx, stored, self.zone)?,
        };
        running.advance(tx, self.zone, self.page)?;
        Ok(running)
    }
}

impl Running {
    fn read(tx: &mut Tx<'_>, mut stored: Stored, zone: Tz) -> Result<Self, Error> {
        if stored.first.is_none() {
            stored.first = Some(movements::position(tx, stored.since.into())?);
        }
        let atlas = Atlas::new(locations::sites(tx)?);
        let sharing = Sharing::read(tx, &atlas)?;
        let began = Timestamp::from(stored.since).day_in(zone);
        // Locations lie in several time zones, so that a day may have begun before the retailer's.
        let since = began.checked_sub_days(Days::new(2)).unwrap_or(began);
        let mut loads = Loads::default();
        for it in past::loads(tx, &stored, since)? {
            if let Some(slot) = atlas.slot(&it.location) {
                loads.set(slot, it.day, it.orders);
            }
        }
        Ok(Self {
            channels: stored.channels.clone().map(HashSet::from_iter),
            ruleset: stored.ruleset()?,
            comparison: stored.comparison()?,
            ground: Ground { loads, ..Ground::default() },
            atlas,
            sharing,
            balances: 0,
            stored,
        })
    }

    /// Whether it is as far as the row says.
    fn is_at(&self, stored: &Stored) -> bool {
        let place = |it: &Stored| (it.id, it.read_at, it.read_seq, it.position);
        place(&self.stored) == place(stored)
    }

    fn advance(&mut self, tx: &mut Tx<'_>, zone: Tz, rows: i64) -> Result<(), Error> {
        let page = past::decisions(tx, &self.stored, rows)?;
        let is_last = i64::try_from(page.len()).is_ok_and(|read| read < rows);
        let (moved, upto, mut page, cut) = self.movements(tx, page)?;
        let mut decided = Vec::with_capacity(page.len());
        let mut full = false;
        for row in &page {
            let decision: Decision = serde_json::from_str(&row.document)?;
            let channel = decision.request.channel.as_str();
            let compared = self.channels.as_ref().is_none_or(|channels| channels.contains(channel));
            self.stored.replayed = self.stored.replayed.saturating_add(i64::from(compared));
            decided.push(Decided { order_id: row.order_id.into(), decision, compared });
            full = self.stored.replayed >= self.stored.most;
            if full {
                break;
            }
        }
        page.truncate(decided.len());
        self.show(tx, &decided)?;
        let reach = |request: &Request| self.sharing.reach(request);
        let course = Course { ruleset: &self.ruleset, atlas: &self.atlas, reach: &reach, zone };
        replay(&course, &mut self.ground, in_order(moved, decided), &mut self.comparison);
        self.stored.position = Some(upto);
        if let Some(last) = page.last() {
            (self.stored.read_at, self.stored.read_seq) = (last.decided_at, last.seq);
        }
        self.stored.read = self.stored.read.saturating_add(i64::try_from(page.len()).unwrap_or(0));
        self.write(tx, full || (is_last && !cut))
    }

    /// What moved before the last decision of a page, and up to which movement. Where too much did, the page is cut to the
    /// decisions before what is left for the next step.
    fn movements(&self, tx: &mut Tx<'_>, mut page: Vec<FirstDecision>) -> Result<Movements, Error> {
        let after = self.stored.position.or(self.stored.first).unwrap_or(0);
        let Some(last) = page.last() else { return Ok((Vec::new(), after, page, false)) };
        let mut upto = movements::position(tx, last.decided_at.into())?.max(after);
        let rows = past::movements(tx, after, upto, MOVED)?;
        let cut = i64::try_from(rows.len()).is_ok_and(|count| count >= MOVED);
        if let Some(last) = rows.last().filter(|_| cut) {
            upto = last.id;
            page.retain(|it| it.decided_at < last.at);
        }
        let mut moved = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(slot) = self.atlas.slot(&row.location) {
                moved.push(Moved { at: row.at.into(), sku: code(&row.sku)?, slot, units: row.units });
            }
        }
        Ok((moved, upto, page, cut))
    }

    /// Makes sure that the shelves of what is decided on again are there, as they are before the page.
    fn show(&mut self, tx: &mut Tx<'_>, decided: &[Decided]) -> Result<(), Error> {
        if self.balances > MAX_BALANCES {
            self.ground.shelves.clear();
            self.balances = 0;
        }
        let compared = decided.iter().filter(|it| it.compared);
        let needed: BTreeSet<SkuCode> =
            compared.flat_map(|it| it.decision.request.demands()).map(|demand| demand.sku).collect();
        let unseen: Vec<SkuCode> = needed.into_iter().filter(|sku| !self.ground.shelves.contains_key(sku)).collect();
        for skus in unseen.chunks(SKUS) {
            let texts: Vec<&str> = skus.iter().map(SkuCode::as_str).collect();
            let mut places: HashMap<String, Vec<(Slot, i64)>> = HashMap::new();
            for place in past::shelves(tx, &self.stored, &texts)? {
                if let Some(slot) = self.atlas.slot(&place.location) {
                    places.entry(place.sku).or_default().push((slot, place.balance));
                }
            }
            for sku in skus {
                let shelf = Shelf::new(places.remove(sku.as_str()).unwrap_or_default());
                self.balances = self.balances.saturating_add(shelf.len());
                self.ground.shelves.insert(sku.clone(), shelf);
            }
        }
        self.sharing.show(tx, &unseen)
    }

    /// Commits what the page came to.
    fn write(&mut self, tx: &mut Tx<'_>, done: bool) -> Result<(), Error> {
        if done { "done" } else { "running" }.clone_into(&mut self.stored.status);
        self.stored.comparison = serde_json::to_string(&self.comparison)?;
        let name = |slot: Slot| self.atlas.site(slot).map(|site| site.code.as_str());
        let (taken, loaded) = (std::mem::take(&mut self.ground.taken), std::mem::take(&mut self.ground.loaded));
        if done {
            replays::clear(tx, self.stored.id)?;
        } else {
            let taken = taken.iter().filter_map(|((sku, slot), units)| Some((sku.as_str(), name(*slot)?, *units)));
            replays::take(tx, self.stored.id, &taken.collect::<Vec<_>>())?;
            let loaded = loaded.iter().filter_map(|((slot, day), orders)| Some((name(*slot)?, *day, *orders)));
            replays::load(tx, self.stored.id, &loaded.collect::<Vec<_>>())?;
        }
        replays::advance(tx, &self.stored)
    }
}

/// Movements, the last of them, the decisions among them, and whether there are more.
type Movements = (Vec<Moved>, i64, Vec<FirstDecision>, bool);

impl Sharing {
    fn read(tx: &mut Tx<'_>, atlas: &Atlas) -> Result<Self, Error> {
        let rules = shares::all(tx)?;
        let slots = |rule: &Rule| {
            let codes = rule.locations.as_ref()?;
            Some((rule.count_id, Arc::new(codes.iter().filter_map(|code| atlas.slot(code.as_str())).collect())))
        };
        Ok(Self {
            reaches: rules.iter().filter_map(slots).collect(),
            book: Rulebook::new(rules),
            entries: Entries::new(),
        })
    }

    /// Reads what is not known yet of SKUs that rules may speak of.
    fn show(&mut self, tx: &mut Tx<'_>, skus: &[SkuCode]) -> Result<(), Error> {
        let unseen: Vec<&SkuCode> = skus.iter().filter(|sku| !self.entries.contains_key(*sku)).collect();
        if !self.reaches.is_empty() && !unseen.is_empty() {
            self.entries.extend(catalog::entries(tx, unseen.into_iter())?);
        }
        Ok(())
    }

    fn reach(&self, request: &Request) -> Reach {
        if self.reaches.is_empty() {
            return Reach::new();
        }
        let reach = |sku: SkuCode| {
            let category = self.entries.get(&sku).map_or("", |entry| entry.category.as_str());
            let rule = self.book.rule(&request.channel, &sku, category)?;
            let slots = self.reaches.get(&rule.count_id)?.clone();
            Some((sku, slots))
        };
        request.needs().into_keys().filter_map(reach).collect()
    }
}

/// What is to be replayed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The first instant of the window.
    pub since: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// The channels whose orders are decided again; none means all.
    pub channels: Option<Vec<String>>,
    /// At most so many orders.
    pub most: i64,
    /// The version of a stored ruleset.
    pub version: Option<i32>,
    /// The ruleset's document as compact JSON.
    pub document: String,
    /// Who asks for it.
    pub author: String,
}

/// Queues a replay. Of those that have finished, the oldest beyond so many are forgotten.
pub fn queue_replay(tx: &mut Tx<'_>, id: Uuid, wanted: Wanted, (decisions, keep): (i64, i64)) -> Result<(), Error> {
    replays::prune(tx, keep.saturating_sub(1))?;
    let now = tx.now().utc();
    let stored = Stored {
        id,
        status: "queued".to_owned(),
        since: wanted.since.utc(),
        until: wanted.until.utc(),
        channels: wanted.channels,
        most: wanted.most,
        version: wanted.version,
        document: wanted.document,
        author: wanted.author,
        created_at: now,
        changed_at: now,
        decisions,
        read: 0,
        replayed: 0,
        read_at: wanted.since.utc(),
        read_seq: 0,
        first: None,
        position: None,
        comparison: serde_json::to_string(&Comparison::default())?,
        error: None,
    };
    replays::insert(tx, &stored)
}
