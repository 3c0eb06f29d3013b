//! Submits a count: posts how what was found differs from what the books said when counting began.

use std::collections::HashMap;

use contracts::FieldError;
use kernel::{LocationCode, SkuCode, Timestamp};
use store::{Error, Tx};

use super::Draft;
use super::caller::Caller;
use super::delivery::{check_known, fields};
use super::refusal::Refusal;
use super::start_count::Counting;
use super::sweep_reservations::sweep_all;
use crate::domain::document::{CountId, CountStatus};
use crate::store::counts::{self, Count, CountLine};
use crate::store::movements::{Movement, MovementKind};
use crate::store::stock::{self, Balance};
use crate::store::{code, locks};

/// What was found of one SKU.
#[derive(Clone, Debug)]
pub struct Found {
    /// The SKU.
    pub sku: SkuCode,
    /// Units found, those in quarantine among them.
    pub counted: i64,
    /// When, if that is known: then the books of that instant count.
    pub counted_at: Option<Timestamp>,
}

/// A count as it is now.
pub fn read_count(tx: &mut Tx<'_>, id: CountId) -> Result<Counting, Refusal> {
    let missing = || Refusal::NotFound { what: "count", id: id.to_string() };
    let head = counts::get(tx, id.uuid())?.ok_or_else(missing)?;
    let lines = counts::lines(tx, id.uuid())?;
    Ok(Counting { head, lines })
}

/// The count, to be changed by a caller who has seen this version of it; it may become `next`.
pub fn open_count(tx: &mut Tx<'_>, id: CountId, next: CountStatus, caller: &Caller) -> Result<Counting, Refusal> {
    locks::pool(tx)?;
    let count = read_count(tx, id)?;
    caller.check_location(&code(&count.head.location)?)?;
    caller.check_version(count.head.version)?;
    let now = count.head.status()?;
    if !now.may_become(next) {
        return Err(Refusal::State(format!("the count is {now}")));
    }
    Ok(count)
}

/// Posts the differences, all or nothing; SKUs that are not named were not counted, and stay as they are.
pub fn submit_count(tx: &mut Tx<'_>, id: CountId, found: &[Found], caller: &Caller) -> Result<Counting, Refusal> {
    let Counting { mut head, lines } = open_count(tx, id, CountStatus::Submitted, caller)?;
    check_times(tx, &head, found)?;
    let all = fields(found.iter().map(|it| &it.sku));
    let unasked: Vec<_> = all
        .into_iter()
        .filter(|(_, sku)| lines.binary_search_by(|line| line.sku.as_str().cmp(sku.as_str())).is_err())
        .collect();
    check_known(tx, &unasked, &[])?;
    sweep_all(tx)?;
    let asked: Vec<counts::Asked<'_>> = found.iter().map(|it| (it.sku.as_str(), it.counted_at)).collect();
    let booked: HashMap<String, i64> = counts::booked(tx, &head, &asked)?.into_iter().collect();
    let location: LocationCode = code(&head.location)?;
    let balances = stock::of_pairs(tx, found.iter().map(|it| (&it.sku, &location)))?;
    let balances: HashMap<&str, &Balance> = balances.iter().map(|it| (it.sku.as_str(), it)).collect();
    let mut draft = Draft::opening();
    let mut written = Vec::with_capacity(found.len());
    let mut faults = Vec::new();
    for (index, it) in found.iter().enumerate() {
        let booked = *booked.get(it.sku.as_str()).ok_or(Error::Broken("every SKU is looked up in the books"))?;
        let difference = it.counted.saturating_sub(booked);
        if let Some(detail) = too_few(balances.get(it.sku.as_str()).copied(), it, booked) {
            faults.push(FieldError { field: format!("lines[{index}].counted"), detail });
        } else if difference != 0 {
            draft.move_units(correction(&head, &location, (it, difference), caller));
        }
        written.push(CountLine {
            sku: it.sku.to_string(),
            booked: Some(booked),
            counted: Some(it.counted),
            counted_at: it.counted_at.map(Timestamp::utc),
        });
    }
    if !faults.is_empty() {
        return Err(Refusal::Insufficient(faults));
    }
    draft.write(tx)?;
    counts::put_lines(tx, head.id, &written)?;
    counts::update(tx, &mut head, CountStatus::Submitted)?;
    read_count(tx, id)
}

fn check_times(tx: &Tx<'_>, count: &Count, found: &[Found]) -> Result<(), Refusal> {
    let (began, now) = (Timestamp::from(count.created_at), tx.now());
    let outside = |it: &Found| it.counted_at.is_some_and(|at| at < began || at > now);
    match found.iter().position(outside) {
        Some(index) => {
            let detail = format!("lies between the start of the count, {began}, and now");
            Err(Refusal::invalid(format!("lines[{index}].counted_at"), detail))
        }
        None => Ok(()),
    }
}

/// What stands in the way of a difference: units that are promised or quarantined must be there.
fn too_few(balance: Option<&Balance>, found: &Found, booked: i64) -> Option<String> {
    let (on_hand, reserved, quarantined) = balance.map_or((0, 0, 0), |it| (it.on_hand, it.reserved, it.quarantined));
    let left = on_hand.saturating_add(found.counted.saturating_sub(booked));
    (left < reserved.saturating_add(quarantined)).then(|| {
        format!(
            "{} were counted of {booked} booked, and {on_hand} are booked now: {left} would be left, of which \
             {reserved} are promised and {quarantined} quarantined",
            found.counted
        )
    })
}

fn correction(count: &Count, location: &LocationCode, found: (&Found, i64), caller: &Caller) -> Movement {
    Movement {
        sku: found.0.sku.clone(),
        location: location.clone(),
        kind: MovementKind::Count,
        on_hand: found.1,
        quarantined: 0,
        owed: 0,
        reason: "counted".to_owned(),
        reference: Some(count.id.to_string()),
        actor: caller.name(),
    }
}
