//! What receipts and transfers have in common over HTTP: their lines.

use std::collections::{BTreeSet, HashMap};

use contracts::Problem;
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, Quantity, SkuCode};
use serde::{Deserialize, Serialize};
use store::{Error, Tx};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::delivery::{Document, Wanted};
use crate::app::receive_goods::Arrival;
use crate::domain::document::{Discrepancy, GoodsLine, MAX_LINES};
use crate::store::deliveries::{self, Delivery, Filter, Kind};

/// The longest supplier, reason or reference, in characters: kept with the document for good.
pub(super) const MAX_TEXT: usize = 200;

/// One line of a new document. Each SKU stands once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedLine {
    /// The SKU.
    sku: SkuCode,
    /// How many units.
    quantity: Quantity,
}

/// What came of a receipt or a transfer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReceiveGoodsBody)]
pub struct ReceiveBody {
    /// What came, each SKU once, at most 2,000.
    #[schema(min_items = 1, max_items = 2000)]
    lines: Vec<ArrivalLine>,
}

/// What came of one SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrivalLine {
    /// The SKU; one that was not expected is taken in too.
    sku: SkuCode,
    /// Units that came, the damaged among them; 0 when none did.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    received: i64,
    /// Units of these that are damaged: they are quarantined.
    #[serde(default)]
    #[schema(minimum = 0)]
    damaged: i64,
}

/// One SKU of a receipt or a transfer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GoodsLineView {
    /// The SKU.
    sku: SkuCode,
    /// Units expected; 0 for a SKU that came unasked.
    expected: i64,
    /// Units that came, the damaged among them.
    received: i64,
    /// Units that came damaged.
    damaged: i64,
    /// Units still on their way.
    incoming: i64,
    /// Received − expected.
    difference: i64,
    /// `short` when less came and no more will, `over` when more came; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    discrepancy: Option<Discrepancy>,
}

impl GoodsLineView {
    /// The lines of a document; `done` when nothing more will come.
    pub(super) fn of(lines: Vec<GoodsLine>, done: bool) -> Vec<Self> {
        let view = |line: GoodsLine| Self {
            difference: line.difference(),
            discrepancy: line.discrepancy(done),
            sku: line.sku,
            expected: line.expected,
            received: line.received,
            damaged: line.damaged,
            incoming: line.incoming,
        };
        lines.into_iter().map(view).collect()
    }
}

/// The lines of a new document, if they are acceptable.
pub(super) fn wanted(lines: Vec<WantedLine>) -> Result<Vec<Wanted>, Problem> {
    check_lines(lines.iter().map(|line| &line.sku), MAX_LINES)?;
    Ok(lines.into_iter().map(|line| (line.sku, line.quantity)).collect())
}

/// What came, if it is acceptable.
pub(super) fn arrivals(body: ReceiveBody) -> Result<Vec<Arrival>, Problem> {
    check_lines(body.lines.iter().map(|line| &line.sku), MAX_LINES)?;
    for (index, line) in body.lines.iter().enumerate() {
        if !(0..=MAX_QUANTITY).contains(&line.received) {
            let detail = format!("lies between 0 and {MAX_QUANTITY}");
            return Err(Problem::invalid(format!("lines[{index}].received"), detail));
        }
        if !(0..=line.received).contains(&line.damaged) {
            let detail = format!("lies between 0 and the {} units received", line.received);
            return Err(Problem::invalid(format!("lines[{index}].damaged"), detail));
        }
    }
    let arrival = |line: ArrivalLine| Arrival { sku: line.sku, received: line.received, damaged: line.damaged };
    Ok(body.lines.into_iter().map(arrival).collect())
}

/// Refuses no lines, too many, and a SKU that stands twice.
pub(super) fn check_lines<'a>(skus: impl ExactSizeIterator<Item = &'a SkuCode>, most: usize) -> Result<(), Problem> {
    if !(1..=most).contains(&skus.len()) {
        return Err(Problem::invalid("lines", format!("has 1 to {most} entries")));
    }
    let mut seen = BTreeSet::new();
    for (index, sku) in skus.enumerate() {
        if !seen.insert(sku) {
            return Err(Problem::invalid(format!("lines[{index}].sku"), format!("{sku} stands more than once")));
        }
    }
    Ok(())
}

/// Reads documents with their lines.
pub(super) fn list(tx: &mut Tx<'_>, kind: Kind, filter: &Filter) -> Result<Vec<Document>, Error> {
    let heads: Vec<Delivery> = deliveries::list(tx, kind, filter)?;
    let ids: Vec<Uuid> = heads.iter().map(|head| head.id).collect();
    let mut lines: HashMap<Uuid, Vec<GoodsLine>> = deliveries::lines(tx, &ids)?;
    let document = |head: Delivery| Document { kind, lines: lines.remove(&head.id).unwrap_or_default(), head };
    Ok(heads.into_iter().map(document).collect())
}

/// The locations of a document, whichever of them the caller may see.
pub(super) fn may_see(principal: &web::Principal, places: &[&LocationCode]) -> Result<(), Problem> {
    let mut seen = places.iter().map(|place| principal.require_location(place));
    let first = seen.next().unwrap_or(Ok(()));
    if seen.any(|it| it.is_ok()) { Ok(()) } else { first }
}
