//! Sweeps holds that have run out: their units go back to the pool.

use contracts::Cause;
use contracts::events::ReservationExpired;
use kernel::id::ReservationId;
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Draft;
use crate::store::{reservations, reserved};

/// Sweeps every hold that has run out, so that none of them counts for whoever looks next; says whether there were any. The
/// caller holds the pool's lock.
pub fn sweep_all(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let mut any = false;
    loop {
        let swept = sweep_reservations(tx)?;
        any |= swept > 0;
        if i64::try_from(swept).is_ok_and(|swept| swept < MAX_SWEPT) {
            return Ok(any);
        }
    }
}

/// Holds swept in one go: some tens of milliseconds of work.
pub const MAX_SWEPT: i64 = 1_000;

/// Sweeps up to [`MAX_SWEPT`] holds, the longest expired first; says how many. The caller holds the pool's lock. Who
/// plans on a desk has it done by [`super::Pool::open_swept`].
pub fn sweep_reservations(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let expired = reservations::expire(tx, MAX_SWEPT)?;
    if expired.is_empty() {
        return Ok(0);
    }
    let ids: Vec<Uuid> = expired.iter().map(|hold| hold.id).collect();
    let mut draft = Draft::new();
    for line in reserved::of_owners(tx, &ids)? {
        draft.release(&line);
    }
    draft.write(tx)?;
    for hold in &expired {
        let event = ReservationExpired { reservation_id: ReservationId(hold.id), expired_at: hold.expires_at.into() };
        outbox::append(tx, &event, &Cause::default())?;
    }
    Ok(expired.len())
}
