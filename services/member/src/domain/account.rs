//! A member's points: how much is pending, active, held and owed, which lots the active ones lie in, and every way they
//! move. The lots always add up to the active points; whatever arrives repays arrears first.

use std::collections::BTreeSet;

use kernel::Timestamp;
use kernel::id::OrderId;
use uuid::Uuid;

/// Where points lie. The first four belong to the member, the others to the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pot {
    /// Earned, not yet spendable.
    Pending,
    /// Spendable.
    Active,
    /// Set aside for a redemption.
    Held,
    /// What the member owes: it only falls below zero, never above.
    Arrears,
    /// Where points come from.
    Issued,
    /// Where redeemed points go.
    Spent,
    /// Where lapsed points go.
    Expired,
    /// Where points go whose purchase was undone.
    Clawed,
}

impl Pot {
    /// The account's name in the ledger.
    pub const fn account(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Held => "held",
            Self::Arrears => "arrears",
            Self::Issued => "issued",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::Clawed => "clawed",
        }
    }

    /// Whether it is the house's.
    pub const fn is_house(self) -> bool {
        matches!(self, Self::Issued | Self::Spent | Self::Expired | Self::Clawed)
    }

    /// Whether it must not fall below zero.
    pub const fn is_floored(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Held)
    }
}

/// What moved, and from where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Where the points were.
    pub from: Pot,
    /// Where they are now.
    pub to: Pot,
    /// How many.
    pub points: i64,
    /// Why, as a stable word.
    pub reason: &'static str,
    /// What names this movement within its member, once.
    pub reference: String,
    /// When the thing happened that moved them.
    pub occurred_at: Timestamp,
    /// What whoever moved them had to say.
    pub note: Option<String>,
}

/// What makes points move: its name, once within the member, and when it happened.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Such as `order:<id>` or `refund:<id>`.
    pub name: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What whoever did it had to say.
    pub note: Option<String>,
}

impl Operation {
    /// An operation about which there is nothing to say.
    pub fn new(name: impl Into<String>, occurred_at: Timestamp) -> Self {
        Self { name: name.into(), occurred_at, note: None }
    }

    /// The same with something to say.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// An order line.
pub type LineKey = (OrderId, i32);

/// Points that became active together and lapse together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub lot_id: Uuid,
    /// The order line that earned it; none for a grant.
    pub line: Option<LineKey>,
    /// How many points arrived.
    pub points: i64,
    /// How many of them are active.
    pub remaining: i64,
    /// How many of them lapsed.
    pub lapsed: i64,
    /// When they became active.
    pub active_since: Timestamp,
    /// When they lapse; none if never.
    pub expires_at: Option<Timestamp>,
}

impl Lot {
    /// Whether its time is over; the instant itself is.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The order in which lots are spent: the first to lapse first, those that never do last.
    fn order(&self) -> (bool, Option<Timestamp>, Uuid) {
        (self.expires_at.is_none(), self.expires_at, self.lot_id)
    }
}

/// So many points of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotPart {
    /// The lot.
    pub lot_id: Uuid,
    /// How many of its points.
    pub points: i64,
}

/// What a member has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Earned, not yet spendable.
    pub pending: i64,
    /// Spendable.
    pub active: i64,
    /// Set aside for a redemption.
    pub held: i64,
    /// Owed, as a positive number.
    pub arrears: i64,
}

impl Balances {
    fn add(&mut self, pot: Pot, points: i64) {
        match pot {
            Pot::Pending => self.pending += points,
            Pot::Active => self.active += points,
            Pot::Held => self.held += points,
            Pot::Arrears => self.arrears -= points,
            Pot::Issued | Pot::Spent | Pot::Expired | Pot::Clawed => {}
        }
    }
}

/// There are fewer active points than asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{available} points are active")]
pub struct TooFew {
    /// How many there are.
    pub available: i64,
}

/// A member's points in one transaction: what they were, and what happens to them.
#[derive(Clone, Debug, Default)]
pub struct Account {
    balances: Balances,
    version: i64,
    lots: Vec<Lot>,
    movements: Vec<Movement>,
    new_lots: Vec<Lot>,
    changed_lots: BTreeSet<Uuid>,
}

impl Account {
    /// The account as it is stored; of the lots, only those that can play a part. `version` is the sum of the versions
    /// that the ledger gives the member's pots.
    pub fn new(balances: Balances, version: i64, lots: Vec<Lot>) -> Self {
        Self { balances, version, lots, ..Self::default() }
    }

    /// What it was when it was read.
    pub fn version_before(&self) -> i64 {
        self.version
    }

    /// What it is once the movements are posted: each pot that something is moved in or out of counts one, as it does in
    /// the ledger.
    pub fn version(&self) -> i64 {
        let pots = self.movements.iter().flat_map(|movement| [movement.from, movement.to]);
        let moved: BTreeSet<&str> = pots.filter(|pot| !pot.is_house()).map(Pot::account).collect();
        self.version + moved.iter().map(|_| 1).sum::<i64>()
    }

    /// What the member has now.
    pub fn balances(&self) -> Balances {
        self.balances
    }

    /// What moved.
    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }

    /// The lots that came to be, as they are at the end.
    pub fn new_lots(&self) -> &[Lot] {
        &self.new_lots
    }

    /// The lots that were there before and have changed, as they are at the end.
    pub fn changed_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter().filter(|lot| self.changed_lots.contains(&lot.lot_id))
    }

    /// The lots with something in them, the first to lapse first.
    pub fn open_lots(&self) -> Vec<&Lot> {
        let mut open: Vec<&Lot> = self.lots.iter().chain(&self.new_lots).filter(|lot| lot.remaining > 0).collect();
        open.sort_unstable_by_key(|lot| lot.order());
        open
    }

    fn shift(&mut self, operation: &Operation, (from, to): (Pot, Pot), points: i64) {
        if points <= 0 {
            return;
        }
        self.balances.add(from, -points);
        self.balances.add(to, points);
        let reason = reason(from, to);
        let reference = format!("{}/{reason}", operation.name);
        let (occurred_at, note) = (operation.occurred_at, operation.note.clone());
        self.movements.push(Movement { from, to, points, reason, reference, occurred_at, note });
    }

    /// Points are earned; they wait until the purchase is final.
    pub fn earn(&mut self, operation: &Operation, points: i64) {
        self.shift(operation, (Pot::Issued, Pot::Pending), points);
    }

    /// A purchase is undone before it was final.
    pub fn claw_back_pending(&mut self, operation: &Operation, points: i64) {
        self.shift(operation, (Pot::Pending, Pot::Clawed), points);
    }

    /// A purchase is final: what waited becomes spendable, in one lot per line.
    pub fn activate(&mut self, operation: &Operation, lots: Vec<Lot>) {
        self.receive(operation, Pot::Pending, lots);
    }

    /// Points are given without a purchase.
    pub fn grant(&mut self, operation: &Operation, lot: Lot) {
        self.receive(operation, Pot::Issued, vec![lot]);
    }

    /// What was clawed back is given again, in lots of its own: the purchase was not undone after all.
    pub fn give_again(&mut self, operation: &Operation, lots: Vec<Lot>) {
        self.receive(operation, Pot::Clawed, lots);
    }

    fn receive(&mut self, operation: &Operation, from: Pot, lots: Vec<Lot>) {
        let mut repaid = 0;
        let mut active = 0;
        for mut lot in lots.into_iter().filter(|lot| lot.points > 0) {
            let repays = lot.points.min(self.balances.arrears - repaid);
            repaid += repays;
            lot.remaining = lot.points - repays;
            active += lot.remaining;
            self.new_lots.push(lot);
        }
        self.shift(operation, (from, Pot::Arrears), repaid);
        self.shift(operation, (from, Pot::Active), active);
    }

    /// A final purchase is undone: its points go from the lots it earned, then from the others, the first to lapse
    /// first; what is not there any more is owed. Points of the purchase that lapsed unspent are gone already.
    pub fn claw_back(&mut self, operation: &Operation, lines: &[(LineKey, i64)]) {
        let mut taken = 0;
        let mut lapsed = 0;
        let mut missing = 0;
        for (line, points) in lines {
            let from_own = total(&self.take(*points, |lot| lot.line == Some(*line)));
            let gone = self.forgive_lapsed(*line, points - from_own);
            taken += from_own;
            lapsed += gone;
            missing += points - from_own - gone;
        }
        let from_others = total(&self.take(missing, |_| true));
        self.shift(operation, (Pot::Active, Pot::Clawed), taken + from_others);
        self.shift(operation, (Pot::Expired, Pot::Clawed), lapsed);
        self.shift(operation, (Pot::Arrears, Pot::Clawed), missing - from_others);
    }

    /// Up to so many points of the line's lots that lapsed: they need not come from anywhere else.
    fn forgive_lapsed(&mut self, line: LineKey, points: i64) -> i64 {
        let mut forgiven = 0;
        for lot in self.lots.iter_mut().filter(|lot| lot.line == Some(line)) {
            let of_lot = lot.lapsed.min(points - forgiven);
            if of_lot > 0 {
                lot.lapsed -= of_lot;
                forgiven += of_lot;
                self.changed_lots.insert(lot.lot_id);
            }
        }
        forgiven
    }

    /// Whatever has lapsed goes.
    pub fn expire(&mut self, operation: &Operation, now: Timestamp) {
        let lapsed = self.take(i64::MAX, |lot| lot.has_lapsed(now));
        for part in &lapsed {
            if let Some(lot) = self.lots.iter_mut().find(|lot| lot.lot_id == part.lot_id) {
                lot.lapsed += part.points;
            }
        }
        self.shift(operation, (Pot::Active, Pot::Expired), total(&lapsed));
    }

    /// Whether anything is active that has lapsed.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.lots.iter().any(|lot| lot.remaining > 0 && lot.has_lapsed(now))
    }

    /// Sets points aside, the first to lapse first.
    pub fn hold(&mut self, operation: &Operation, points: i64) -> Result<Vec<LotPart>, TooFew> {
        if self.balances.active < points {
            return Err(TooFew { available: self.balances.active });
        }
        let parts = self.take(points, |_| true);
        self.shift(operation, (Pot::Active, Pot::Held), points);
        Ok(parts)
    }

    /// What was set aside is spent.
    pub fn capture(&mut self, operation: &Operation, parts: &[LotPart]) {
        self.shift(operation, (Pot::Held, Pot::Spent), total(parts));
    }

    /// What was set aside goes back into the lots it came from.
    pub fn release(&mut self, operation: &Operation, parts: &[LotPart]) {
        self.restore(operation, Pot::Held, parts);
    }

    /// What was spent goes back into the lots it came from.
    pub fn reverse(&mut self, operation: &Operation, parts: &[LotPart]) {
        self.restore(operation, Pot::Spent, parts);
    }

    fn restore(&mut self, operation: &Operation, from: Pot, parts: &[LotPart]) {
        let mut repaid = 0;
        let mut active = 0;
        for part in parts {
            let repays = part.points.min(self.balances.arrears - repaid);
            repaid += repays;
            active += part.points - repays;
            self.change(part.lot_id, part.points - repays);
        }
        self.shift(operation, (from, Pot::Arrears), repaid);
        self.shift(operation, (from, Pot::Active), active);
    }

    /// Takes up to so many points out of the lots that may be touched, the first to lapse first.
    fn take(&mut self, points: i64, may: impl Fn(&Lot) -> bool) -> Vec<LotPart> {
        let open: Vec<LotPart> = self
            .open_lots()
            .into_iter()
            .filter(|lot| may(lot))
            .map(|lot| LotPart { lot_id: lot.lot_id, points: lot.remaining })
            .collect();
        let mut missing = points;
        let mut parts = Vec::new();
        for LotPart { lot_id, points } in open {
            let points = points.min(missing);
            if points == 0 {
                break;
            }
            missing -= points;
            self.change(lot_id, -points);
            parts.push(LotPart { lot_id, points });
        }
        parts
    }

    fn change(&mut self, lot_id: Uuid, by: i64) {
        if let Some(lot) = self.new_lots.iter_mut().find(|lot| lot.lot_id == lot_id) {
            lot.remaining += by;
        } else if let Some(lot) = self.lots.iter_mut().find(|lot| lot.lot_id == lot_id) {
            lot.remaining += by;
            self.changed_lots.insert(lot_id);
        }
    }
}

fn total(parts: &[LotPart]) -> i64 {
    parts.iter().map(|part| part.points).sum()
}

/// The stable word for a movement between two pots.
const fn reason(from: Pot, to: Pot) -> &'static str {
    match (from, to) {
        (_, Pot::Pending) => "earned",
        (_, Pot::Arrears) => "arrears_repaid",
        (Pot::Arrears, _) => "owed",
        (Pot::Expired, _) => "lapse_undone",
        (Pot::Pending, Pot::Active) => "activated",
        (Pot::Held, Pot::Active) => "released",
        (Pot::Spent, Pot::Active) => "spending_reversed",
        (Pot::Clawed, Pot::Active) => "clawback_undone",
        (_, Pot::Active) => "granted",
        (_, Pot::Held) => "held",
        (_, Pot::Spent) => "spent",
        (_, Pot::Expired) => "expired",
        (_, Pot::Clawed | Pot::Issued) => "clawed_back",
    }
}

#[cfg(test)]
mod tests;
