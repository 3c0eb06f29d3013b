//! Explains a rebate line: gathers everything it rests on, computes it again, and says whether the two agree.

use kernel::id::{MemberId, OrderId, RebateLineId};
use serde::Serialize;
use store::Tx;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::accrual::{Working, accrue};
use crate::domain::attribution::{Candidate, credited_store, winner};
use crate::domain::party::ShareRole;
use crate::domain::policy::PolicyDocument;
use crate::domain::reversal::Accrued;
use crate::domain::sale::Sale;
use crate::store::facts::{self, ReturnFact};
use crate::store::lines::{self, LineFilter, LineRow};
use crate::store::policies::PolicyRow;
use crate::store::{attributions, credits, policies, tills};

/// What a rebate line rests on.
#[derive(Debug)]
pub struct Explained {
    /// The line.
    pub line: LineRow,
    /// The order's sale.
    pub sale: Sale,
    /// The policy version.
    pub policy: PolicyRow,
    /// Its rules.
    pub document: PolicyDocument,
    /// Who bought.
    pub member_id: Option<MemberId>,
    /// Who was credited, and who lost.
    pub candidates: Vec<Candidate>,
    /// The arithmetic, done again; none when the rules no longer pay on the order, which cannot be.
    pub working: Option<Working>,
    /// What was given back, step by step.
    pub returns: Vec<ReturnStep>,
    /// Whether computing it again gives the stored amounts, for this line and for every other of the same share.
    pub matches: bool,
}

/// One step of what was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReturnStep {
    /// The refund, the event that cancelled, or the till's transaction.
    pub source_id: Uuid,
    /// `cancel`, `refund` or `void`.
    pub kind: String,
    /// Units given back.
    pub units: i64,
    /// Units given back so far, with these.
    pub units_so_far: i64,
    /// What was taken back for them, in minor units: `round(amount × so far ÷ quantity)` less what was taken before.
    pub amount: i64,
}

/// Explains a line; none when it does not exist.
pub fn explain(tx: &mut Tx<'_>, line_id: RebateLineId) -> Result<Option<Explained>, store::Error> {
    let wanted = LineFilter { line_id: Some(line_id.uuid()), ..LineFilter::default() };
    let Some(line) = lines::list(tx, &wanted, None, 1)?.into_iter().next() else {
        return Ok(None);
    };
    let broken = store::Error::Broken;
    let sale = facts::sales(tx, &[line.order_id])?.remove(&OrderId(line.order_id));
    let mut sale = sale.ok_or(broken("a rebate line has its sale"))?;
    let policy = policies::find(tx, line.policy_id)?.ok_or(broken("a rebate line has its policy version"))?;
    let document: PolicyDocument = serde_json::from_value(policy.document.clone())?;
    let attribution = attributions::find(tx, line.order_id)?.ok_or(broken("a rebate line has its attribution"))?;
    let candidates: Vec<Candidate> = match line.credit_version {
        0 => {
            sale.lines.retain(|line| !line.added);
            serde_json::from_value(attribution.candidates)?
        }
        version => {
            let credit = credits::find(tx, line.order_id, version)?.ok_or(broken("a rebate line has its decision"))?;
            (sale.guide, sale.store) = (credit.guide, credit.store);
            sale.lines.retain(|line| !line.added || credit.added_lines.contains(&line.line_no));
            serde_json::from_value(credit.candidates)?
        }
    };
    let siblings: Vec<LineRow> = lines::of_orders(tx, &[line.order_id])?
        .into_iter()
        .filter(|it| (it.policy_id, &it.role, it.credit_version) == (line.policy_id, &line.role, line.credit_version))
        .collect();
    let share = document.shares.iter().find(|share| share.role.as_str() == line.role).copied();
    let working = share.and_then(|share| accrue(&document, share, &sale, credited_store(&candidates)));
    let mut returned = facts::returns_of_line(tx, line.order_id, line.line_no)?;
    returned.extend(tills::facts_of_line(tx, line.order_id, line.line_no, line.quantity)?);
    let (returns, back) = steps(&line, &returned);
    let payee = ShareRole::from_word(&line.role).and_then(|role| winner(&candidates, role));
    let matches = payee == Some(line.payee.as_str())
        && working.as_ref().is_some_and(|working| agrees(working, &siblings))
        && back == Some((line.units_back, line.amount_back));
    Ok(Some(Explained {
        member_id: attribution.member_id.map(MemberId),
        line,
        sale,
        policy,
        document,
        candidates,
        working,
        returns,
        matches,
    }))
}

/// Every part that earns something is a stored line of the same amount, and there is no other.
fn agrees(working: &Working, siblings: &[LineRow]) -> bool {
    let mut computed: Vec<(i32, i64)> =
        working.parts.iter().filter(|part| part.amount > 0).map(|part| (part.line_no, part.amount)).collect();
    let mut stored: Vec<(i32, i64)> = siblings.iter().map(|line| (line.line_no, line.amount)).collect();
    computed.sort_unstable();
    stored.sort_unstable();
    computed == stored
}

fn steps(line: &LineRow, returned: &[ReturnFact]) -> (Vec<ReturnStep>, Option<(i64, i64)>) {
    let mut accrued = Accrued { quantity: line.quantity, amount: line.amount, units_back: 0, amount_back: 0 };
    let mut steps = Vec::with_capacity(returned.len());
    // What came back after another line took its place is that one's.
    let is_over = |units_back: i64| line.superseded_at.is_some() && units_back >= line.units_back;
    for fact in returned {
        if is_over(accrued.units_back) {
            break;
        }
        let Ok(amount) = accrued.give_back(fact.quantity) else {
            return (steps, None);
        };
        steps.push(ReturnStep {
            source_id: fact.source_id,
            kind: fact.kind.clone(),
            units: fact.quantity,
            units_so_far: accrued.units_back,
            amount,
        });
    }
    (steps, Some((accrued.units_back, accrued.amount_back)))
}
