//! Ids of events: those told together share a batch, which consumers mark as taken with one row instead of one per event.
//!
//! An id is a UUIDv7 whose last four bytes hold how many events the batch has and which of them it is, from 1. The mark of
//! a batch has the number 0.

use uuid::Uuid;

/// A place in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The mark of the batch: no event has this id.
    pub batch: Uuid,
    /// How many events were told together.
    pub count: u16,
    /// Which of them this is, from 1.
    pub number: u16,
}

const NUMBER_BITS: u32 = 16;
const COUNT_BITS: u32 = 16;

impl Place {
    /// Where an id says it belongs. What an id that was made otherwise says is not true of any other event: its batch is
    /// never complete, unless it counts one.
    pub fn of(id: Uuid) -> Self {
        let [.., a, b, c, d] = *id.as_bytes();
        let (count, number) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        Self { batch: Self::id(id, count, 0), count, number }
    }

    /// The id of an event: `base` gives the time and the random part.
    pub fn id(base: Uuid, count: u16, number: u16) -> Uuid {
        let own = (u128::from(count) << NUMBER_BITS) | u128::from(number);
        let shared = u128::MAX << (NUMBER_BITS + COUNT_BITS);
        Uuid::from_u128((base.as_u128() & shared) | own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_batch_and_its_number() {
        let base = Uuid::from_u128(0x0199_aaaa_bbbb_7ccc_8ddd_eeee_ffff_ffff);
        let (first, last) = (Place::of(Place::id(base, 300, 1)), Place::of(Place::id(base, 300, 300)));
        assert_eq!((first.count, first.number, last.count, last.number), (300, 1, 300, 300));
        assert_eq!(first.batch, last.batch);
        assert_eq!(first.batch, Place::id(base, 300, 0));
        assert_eq!(Place::id(base, 300, 7).get_version_num(), 7);
        assert_ne!(Place::of(Place::id(base, 299, 1)).batch, first.batch);
    }
}
