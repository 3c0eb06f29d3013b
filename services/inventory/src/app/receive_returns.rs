//! Returned goods: on hand but apart when they arrive, back on the shelf or written off when they were inspected.

use std::collections::{BTreeSet, HashMap};

use bus::ConsumeError;
use contracts::events::{Disposition, ReturnInspected, ReturnLine, ReturnReceived};
use kernel::id::{OrderId, ReturnId};
use kernel::{LocationCode, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::Draft;
use super::asked::{Asked, asked};
use super::ship_orders::ORDER_SERVICE;
use crate::domain::Line;
use crate::store::movements::{Movement, MovementKind};
use crate::store::{catalog, locations, locks, stock};

/// Takes a batch of returned goods in: on hand, and quarantined until they are inspected.
pub fn receive_returns(tx: &mut Tx<'_>, received: &[ReturnReceived]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let places: BTreeSet<&str> = received.iter().map(|it| it.location.as_str()).collect();
    let known = locations::known(tx, &places)?;
    if let Some(unknown) = places.iter().find(|place| !known.contains(**place)) {
        return Err(ConsumeError::Park(format!("goods were returned to {unknown}, which is no location")));
    }
    let returned: Vec<Returned<'_>> = received.iter().map(Returned::from).collect();
    let recipes = Recipes::read(tx, &returned)?;
    let mut draft = Draft::opening();
    for it in &returned {
        for (line, sku, units) in recipes.parts(it) {
            draft.move_units(it.movement(MovementKind::Return, (&sku, units, units), reason(line)));
        }
    }
    draft.write(tx)?;
    Ok(())
}

/// Takes a batch of inspections over: restocked units can be promised again, scrapped ones are gone, the others stay
/// quarantined.
pub fn inspect_returns(tx: &mut Tx<'_>, inspected: &[ReturnInspected]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let returned: Vec<Returned<'_>> = inspected.iter().map(Returned::from).collect();
    let recipes = Recipes::read(tx, &returned)?;
    let mut draft = Draft::new();
    let mut leaving: HashMap<(SkuCode, LocationCode), i64> = HashMap::new();
    for it in &returned {
        for (line, sku, units) in recipes.parts(it) {
            let (kind, on_hand) = match line.disposition {
                Some(Disposition::Restock) => (MovementKind::Return, 0),
                Some(Disposition::Scrap) => (MovementKind::Damage, units.saturating_neg()),
                Some(Disposition::Quarantine) | None => continue,
            };
            let sum = leaving.entry((sku.clone(), it.location.clone())).or_default();
            *sum = sum.saturating_add(units);
            draft.move_units(it.movement(kind, (&sku, on_hand, units.saturating_neg()), reason(line)));
        }
    }
    for balance in stock::of_pairs(tx, leaving.keys().map(|(sku, location)| (sku, location)))? {
        leaving.retain(|(sku, location), units| {
            (sku.as_str(), location.as_str()) != (&balance.sku, &balance.location) || *units > balance.quarantined
        });
    }
    if let Some(((sku, location), units)) = leaving.into_iter().next() {
        return Err(ConsumeError::Retry(format!("{units} units of {sku} are not quarantined at {location}")));
    }
    draft.write(tx)?;
    Ok(())
}

/// What both events have in common.
struct Returned<'a> {
    id: ReturnId,
    order: Option<OrderId>,
    location: &'a LocationCode,
    lines: &'a [ReturnLine],
}

impl<'a> From<&'a ReturnReceived> for Returned<'a> {
    fn from(it: &'a ReturnReceived) -> Self {
        Self { id: it.return_id, order: it.order_id, location: &it.location, lines: &it.lines }
    }
}

impl<'a> From<&'a ReturnInspected> for Returned<'a> {
    fn from(it: &'a ReturnInspected) -> Self {
        Self { id: it.return_id, order: it.order_id, location: &it.location, lines: &it.lines }
    }
}

impl Returned<'_> {
    fn movement(&self, kind: MovementKind, units: (&SkuCode, i64, i64), reason: &str) -> Movement {
        let (sku, on_hand, quarantined) = units;
        Movement {
            sku: sku.clone(),
            location: self.location.clone(),
            kind,
            on_hand,
            quarantined,
            owed: 0,
            reason: reason.to_owned(),
            reference: Some(self.id.to_string()),
            actor: ORDER_SERVICE.to_owned(),
        }
    }
}

const fn reason(line: &ReturnLine) -> &'static str {
    match line.disposition {
        None => "returned",
        Some(Disposition::Restock) => "restocked",
        Some(Disposition::Quarantine) => "quarantined",
        Some(Disposition::Scrap) => "scrapped",
    }
}

/// What returned bundles are made of: as they were sold, when the order is known, else as they are sold today.
struct Recipes {
    orders: HashMap<Uuid, Asked>,
    today: catalog::Entries,
}

impl Recipes {
    fn read(tx: &mut Tx<'_>, returned: &[Returned<'_>]) -> Result<Self, Error> {
        let skus: BTreeSet<&SkuCode> = returned.iter().flat_map(|it| it.lines.iter().map(|line| &line.sku)).collect();
        let today = catalog::entries(tx, skus.into_iter())?;
        let ids: Vec<Uuid> = returned.iter().filter_map(|it| it.order).map(OrderId::uuid).collect();
        let orders = if ids.is_empty() { HashMap::new() } else { asked(tx, &ids)? };
        Ok(Self { orders, today })
    }

    /// Each returned line with what it is made of, in units.
    fn parts<'r>(&self, returned: &'r Returned<'_>) -> Vec<(&'r ReturnLine, SkuCode, i64)> {
        let order = returned.order.and_then(|id| self.orders.get(&id.uuid()));
        let mut all = Vec::new();
        for line in returned.lines {
            let sold = |it: &&Line| Some(it.line_no) == line.line_no && it.sku == line.sku;
            let sold = order.and_then(|order| order.ordered.iter().find(sold));
            let parts = match sold {
                Some(sold) => sold.parts.clone(),
                None => self.today.get(&line.sku).map(|entry| entry.parts.clone()).unwrap_or_default(),
            };
            let whole = Line { line_no: 0, sku: line.sku.clone(), quantity: line.quantity, parts };
            all.extend(whole.demands().map(|demand| (line, demand.sku, demand.units)));
        }
        all
    }
}
