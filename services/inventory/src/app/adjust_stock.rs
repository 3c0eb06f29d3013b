//! Adjusts balances: by a difference, or to a stated number, perhaps only if the balance is what the caller believes; and
//! puts units apart, back or away. Every adjustment of a request is made, or none.

use std::collections::{BTreeSet, HashMap};

use contracts::events::Disposition;
use contracts::{Problem, ProblemCode};
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, SkuCode};
use store::{Error, Tx};

use super::Draft;
use super::sweep_reservations::sweep_all;
use crate::store::movements::{Movement, MovementKind};
use crate::store::stock::{self, Balance, Delta};
use crate::store::{catalog, locations, locks};

/// What becomes of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many units more, or less.
    By(i64),
    /// So many units, if there are as many as expected.
    To {
        /// Units there from now on.
        on_hand: i64,
        /// Units the caller believes to be there.
        expected: Option<i64>,
    },
    /// The units there stay as they are.
    Kept,
    /// So many units are, or are no longer, fit to be sold.
    Sorted {
        /// How many.
        units: i64,
        /// Whether they are in quarantine, and not on the shelf.
        quarantined: bool,
        /// What becomes of them.
        to: Disposition,
    },
}

/// One adjustment.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// The SKU.
    pub sku: SkuCode,
    /// Where.
    pub location: LocationCode,
    /// What becomes of the units there.
    pub change: Change,
    /// Units never to be promised from now on.
    pub safety: Option<i64>,
    /// Why.
    pub reason: String,
    /// The caller's own reference.
    pub reference: Option<String>,
}

/// A request: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Adjust {
    /// What is adjusted, in this order.
    pub adjustments: Vec<Adjustment>,
    /// Who does it.
    pub actor: String,
}

/// One adjustment that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its place in the request.
    pub index: usize,
    /// The offending field.
    pub field: &'static str,
    /// What is wrong.
    pub code: ProblemCode,
    /// In a sentence.
    pub detail: String,
}

/// A request that was refused: each fault is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Vec<Fault>);

impl Refusal {
    /// The SKUs and locations' fields apart: whether all that is wrong is a SKU that is not known (yet).
    pub fn is_unknown_sku(&self) -> bool {
        self.0.iter().all(|fault| fault.field == "sku" && fault.code == ProblemCode::UnknownReference)
    }
}

impl Refusal {
    /// Whether units were missing.
    fn is_about_stock(&self) -> bool {
        self.0.iter().any(|fault| fault.code == ProblemCode::InsufficientStock)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = refusal.0.first().map_or(ProblemCode::InvalidField, |fault| fault.code);
        refusal.0.into_iter().fold(Self::new(code), |problem, fault| {
            problem.field(format!("[{}].{}", fault.index, fault.field), fault.detail)
        })
    }
}

/// Makes or refuses requests one by one, in order; a refused one leaves nothing behind. A granted one is answered with
/// the balance of each adjustment as it is after the whole batch.
pub fn adjust_stock(tx: &mut Tx<'_>, requests: &[&Adjust]) -> Result<Vec<Result<Vec<Balance>, Refusal>>, Error> {
    locks::pool(tx)?;
    let (mut books, mut draft, mut outcomes) = make_all(tx, requests)?;
    // Units of holds that have run out are free, swept or not.
    if outcomes.iter().any(|it| it.as_ref().is_err_and(Refusal::is_about_stock)) && sweep_all(tx)? {
        (books, draft, outcomes) = make_all(tx, requests)?;
    }
    // Written balances replace those that were read; one that was set to what it was is in neither, or as it was.
    for balance in draft.write(tx)? {
        books.balances.insert((balance.sku.clone(), balance.location.clone()), balance);
    }
    let answer = |request: &Adjust| {
        let keys = request.adjustments.iter().map(|it| (it.sku.to_string(), it.location.to_string()));
        keys.map(|key| books.balances.get(&key).cloned().unwrap_or_else(|| empty(&key))).collect()
    };
    Ok(requests.iter().zip(outcomes).map(|(request, outcome)| outcome.map(|()| answer(request))).collect())
}

type Made = (Books, Draft, Vec<Result<(), Refusal>>);

fn make_all(tx: &mut Tx<'_>, requests: &[&Adjust]) -> Result<Made, Error> {
    let mut books = Books::read(tx, requests)?;
    let mut draft = if books.has_all(requests) { Draft::new() } else { Draft::opening() };
    let outcomes = requests.iter().map(|request| books.make(request, &mut draft)).collect();
    Ok((books, draft, outcomes))
}

type Key = (String, String);

/// The balances of a batch as one request after the other finds them.
struct Books {
    balances: HashMap<Key, Balance>,
    skus: BTreeSet<String>,
    locations: BTreeSet<String>,
}

impl Books {
    fn read(tx: &mut Tx<'_>, requests: &[&Adjust]) -> Result<Self, Error> {
        let all = || requests.iter().flat_map(|request| &request.adjustments);
        let skus: BTreeSet<&str> = all().map(|it| it.sku.as_str()).collect();
        let places: BTreeSet<&str> = all().map(|it| it.location.as_str()).collect();
        let before = stock::of_pairs(tx, all().map(|it| (&it.sku, &it.location)))?;
        Ok(Self {
            balances: before.iter().map(|it| ((it.sku.clone(), it.location.clone()), it.clone())).collect(),
            skus: catalog::stockable(tx, &skus.into_iter().collect::<Vec<_>>())?.into_iter().collect(),
            locations: locations::known(tx, &places)?,
        })
    }

    /// Whether every balance has its row already.
    fn has_all(&self, requests: &[&Adjust]) -> bool {
        let mut keys = requests
            .iter()
            .flat_map(|request| &request.adjustments)
            .map(|it| (it.sku.to_string(), it.location.to_string()));
        keys.all(|key| self.balances.contains_key(&key))
    }

    fn make(&mut self, request: &Adjust, draft: &mut Draft) -> Result<(), Refusal> {
        let mut tried: HashMap<Key, Balance> = HashMap::new();
        let mut faults = Vec::new();
        let mut made = Vec::new();
        for (index, adjustment) in request.adjustments.iter().enumerate() {
            let key = (adjustment.sku.to_string(), adjustment.location.to_string());
            let now = tried.get(&key).or_else(|| self.balances.get(&key)).cloned().unwrap_or_else(|| empty(&key));
            match self.adjusted(adjustment, &now) {
                Ok(mut then) => {
                    made.push((
                        adjustment,
                        Delta {
                            on_hand: then.on_hand.saturating_sub(now.on_hand),
                            quarantined: then.quarantined.saturating_sub(now.quarantined),
                            safety: then.safety.saturating_sub(now.safety),
                            ..Delta::default()
                        },
                    ));
                    // The draft books what this settles.
                    then.settle();
                    tried.insert(key, then);
                }
                Err((field, code, detail)) => faults.push(Fault { index, field, code, detail }),
            }
        }
        if !faults.is_empty() {
            return Err(Refusal(faults));
        }
        self.balances.extend(tried);
        for (adjustment, delta) in made {
            record(draft, adjustment, delta, &request.actor);
        }
        Ok(())
    }

    fn adjusted(&self, wanted: &Adjustment, now: &Balance) -> Result<Balance, (&'static str, ProblemCode, String)> {
        if !self.skus.contains(wanted.sku.as_str()) {
            let detail = format!("{} is not a SKU that can be stocked", wanted.sku);
            return Err(("sku", ProblemCode::UnknownReference, detail));
        }
        if !self.locations.contains(wanted.location.as_str()) {
            let detail = format!("{} is not a location", wanted.location);
            return Err(("location", ProblemCode::UnknownReference, detail));
        }
        let (field, on_hand) = match wanted.change {
            Change::By(delta) => ("delta", now.on_hand.saturating_add(delta)),
            Change::To { expected: Some(expected), .. } if expected != now.on_hand => {
                let detail = format!("there are {} units, not {expected}", now.on_hand);
                return Err(("expected_on_hand", ProblemCode::ExpectationFailed, detail));
            }
            // What is stated is there: what was sold without cover is not, and comes off the books besides.
            Change::To { on_hand, .. } => ("on_hand", on_hand.saturating_add(now.owed)),
            Change::Kept => return Ok(Balance { safety: wanted.safety.unwrap_or(now.safety), ..now.clone() }),
            Change::Sorted { units, quarantined, to } => return sorted(now, units, quarantined, to),
        };
        let spoken_for = now.reserved.saturating_add(now.quarantined);
        if on_hand < spoken_for {
            let detail = format!(
                "{} units are there, of which {} are promised and {} quarantined; {on_hand} would be left",
                now.on_hand, now.reserved, now.quarantined
            );
            return Err((field, ProblemCode::InsufficientStock, detail));
        }
        if on_hand > MAX_QUANTITY {
            return Err((field, ProblemCode::InvalidField, format!("a balance has at most {MAX_QUANTITY} units")));
        }
        Ok(Balance { on_hand, safety: wanted.safety.unwrap_or(now.safety), ..now.clone() })
    }
}

/// Units on the shelf can be taken only if they are not promised; safety stock is there for such a case.
fn sorted(
    now: &Balance,
    units: i64,
    quarantined: bool,
    to: Disposition,
) -> Result<Balance, (&'static str, ProblemCode, String)> {
    let free = now.on_hand.saturating_sub(now.reserved).saturating_sub(now.quarantined);
    let (there, place) =
        if quarantined { (now.quarantined, "quarantined") } else { (free, "on the shelf and not promised") };
    if units > there {
        let detail = format!("{there} units are {place}, not {units}");
        return Err(("quantity", ProblemCode::InsufficientStock, detail));
    }
    let leaves_quarantine = if quarantined { units } else { 0 };
    let enters_quarantine = if to == Disposition::Quarantine { units } else { 0 };
    let destroyed = if to == Disposition::Scrap { units } else { 0 };
    Ok(Balance {
        on_hand: now.on_hand.saturating_sub(destroyed),
        quarantined: now.quarantined.saturating_sub(leaves_quarantine).saturating_add(enters_quarantine),
        ..now.clone()
    })
}

fn empty(key: &Key) -> Balance {
    let (sku, location) = key.clone();
    Balance::empty(sku, location)
}

fn record(draft: &mut Draft, adjustment: &Adjustment, delta: Delta, actor: &str) {
    if delta.on_hand != 0 || delta.quarantined != 0 {
        draft.move_units(Movement {
            sku: adjustment.sku.clone(),
            location: adjustment.location.clone(),
            kind: match adjustment.change {
                Change::By(_) | Change::Kept => MovementKind::Adjustment,
                Change::To { .. } => MovementKind::Count,
                Change::Sorted { .. } => MovementKind::Damage,
            },
            on_hand: delta.on_hand,
            quarantined: delta.quarantined,
            owed: 0,
            reason: adjustment.reason.clone(),
            reference: adjustment.reference.clone(),
            actor: actor.to_owned(),
        });
    }
    draft.change(&adjustment.sku, &adjustment.location, Delta { on_hand: 0, quarantined: 0, ..delta });
}
