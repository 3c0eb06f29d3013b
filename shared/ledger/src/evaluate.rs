//! Judges a batch of transfers against the balances as they were read: pure, in the order they were handed in.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::account::Key;
use crate::transfer::{Content, MAX_AMOUNT, Posted, Refusal, Transfer};

/// What a balance was when it was read, and what the batch has made of it so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub balance: i64,
    pub floor: Option<i64>,
    /// Whether the account was found to be there.
    pub stored: bool,
    pub delta: i64,
    pub touched: bool,
}

/// The balances a batch touches.
pub(crate) type Standings<'a> = BTreeMap<Key<'a>, Standing>;

/// The postings that stand, by owner and reference.
pub(crate) type Postings<'a> = HashMap<(&'a str, &'a str), (Uuid, Content<'a>)>;

/// One verdict per transfer; `standings` and `postings` end as the batch leaves them.
pub(crate) fn evaluate<'a>(
    transfers: &'a [Transfer],
    mut ids: impl FnMut() -> Uuid,
    postings: &mut Postings<'a>,
    standings: &mut Standings<'a>,
) -> Vec<Result<Posted, Refusal>> {
    let mut verdicts = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        let reference = (transfer.owner.as_str(), transfer.reference.as_str());
        let verdict = match postings.get(&reference) {
            Some((transfer_id, content)) if *content == transfer.content() => {
                Ok(Posted { transfer_id: *transfer_id, before: true })
            }
            Some(_) => Err(Refusal::Contradiction),
            None => apply(transfer, standings).map(|()| Posted { transfer_id: ids(), before: false }),
        };
        if let Ok(Posted { transfer_id, before: false }) = verdict {
            postings.insert(reference, (transfer_id, transfer.content()));
        }
        verdicts.push(verdict);
    }
    verdicts
}

fn apply<'a>(transfer: &'a Transfer, standings: &mut Standings<'a>) -> Result<(), Refusal> {
    if !(1..=MAX_AMOUNT).contains(&transfer.amount) {
        return Err(Refusal::Amount);
    }
    if transfer.debit_key() == transfer.credit_key() {
        return Err(Refusal::SameAccount);
    }
    let debit = standings.get(&transfer.debit_key()).copied().unwrap_or_default();
    let credit = standings.get(&transfer.credit_key()).copied().unwrap_or_default();
    let lowered = debit.moved(transfer.amount.checked_neg().ok_or(Refusal::OutOfRange)?)?;
    let raised = credit.moved(transfer.amount)?;
    if let Some(floor) = lowered.floor
        && lowered.now()? < floor
    {
        let available = debit.now()?.checked_sub(floor).ok_or(Refusal::OutOfRange)?;
        return Err(Refusal::BelowFloor { available });
    }
    standings.insert(transfer.debit_key(), lowered);
    standings.insert(transfer.credit_key(), raised);
    Ok(())
}

impl Standing {
    fn now(self) -> Result<i64, Refusal> {
        self.balance.checked_add(self.delta).ok_or(Refusal::OutOfRange)
    }

    fn moved(self, amount: i64) -> Result<Self, Refusal> {
        let delta = self.delta.checked_add(amount).ok_or(Refusal::OutOfRange)?;
        let moved = Self { delta, touched: true, ..self };
        moved.now().map(|_| moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Account;
    use kernel::Timestamp;
    use kernel::id::EntryId;

    fn transfer(reference: &str, from: &str, to: &str, amount: i64) -> Transfer {
        Transfer {
            owner: "m".into(),
            reference: reference.into(),
            entry_id: EntryId::at(Timestamp::EPOCH),
            debit: Account::new("m", from.to_owned()),
            credit: Account::new("m", to.to_owned()),
            unit: "points".into(),
            amount,
            reason: "test".into(),
            memo: serde_json::Value::Null,
            occurred_at: Timestamp::EPOCH,
        }
    }

    fn floored<'a>(balance: i64) -> Standings<'a> {
        BTreeMap::from([(("m", "active", "points"), Standing { balance, floor: Some(0), ..Standing::default() })])
    }

    fn id() -> Uuid {
        kernel::id::uuid_at(Timestamp::EPOCH)
    }

    #[test]
    fn the_one_that_would_fall_below_the_floor_is_refused_alone() {
        let batch = [
            transfer("a", "active", "spent", 60),
            transfer("b", "active", "spent", 60),
            transfer("c", "active", "spent", 40),
        ];
        let verdicts = evaluate(&batch, id, &mut Postings::new(), &mut floored(100));
        assert!(verdicts[0].is_ok());
        assert_eq!(verdicts[1], Err(Refusal::BelowFloor { available: 40 }));
        assert!(verdicts[2].is_ok());
    }

    #[test]
    fn what_arrives_in_a_batch_can_leave_in_it() {
        let batch = [transfer("a", "issued", "active", 5), transfer("b", "active", "spent", 5)];
        let verdicts = evaluate(&batch, id, &mut Postings::new(), &mut floored(0));
        assert!(verdicts.iter().all(Result::is_ok));
    }

    #[test]
    fn a_reference_used_twice_is_one_posting_or_a_contradiction() {
        let batch = [
            transfer("a", "issued", "active", 5),
            transfer("a", "issued", "active", 5),
            transfer("a", "issued", "active", 6),
        ];
        let mut standings = floored(0);
        let verdicts = evaluate(&batch, id, &mut Postings::new(), &mut standings);
        let first = verdicts[0].unwrap();
        assert_eq!(verdicts[1], Ok(Posted { before: true, ..first }));
        assert_eq!(verdicts[2], Err(Refusal::Contradiction));
        assert_eq!(standings[&("m", "active", "points")].delta, 5);
    }

    #[test]
    fn amounts_that_are_not_positive_and_loops_are_refused() {
        let batch = [transfer("a", "x", "y", 0), transfer("b", "x", "y", -1), transfer("c", "x", "x", 1)];
        let verdicts = evaluate(&batch, id, &mut Postings::new(), &mut Standings::new());
        assert_eq!(verdicts, [Err(Refusal::Amount), Err(Refusal::Amount), Err(Refusal::SameAccount)]);
    }
}
