//! What makes two deliveries of a till's transaction the same: a digest per field, so that a contradiction can name what
//! differs.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::check::PricedLine;
use super::form::PosForm;

/// The fields that make up the content, in the order of their digests. The key is not among them.
const FIELDS: [&str; 10] =
    ["kind", "occurred_at", "channel", "currency", "buyer", "guide", "note", "voids", "lines", "tenders"];

/// How many bytes of each field's SHA-256 are kept: 64 bits tell two honest contents of one number apart.
const PART_BYTES: usize = 8;

/// The digest of a checked transaction. Line order and the spelling of prices make no difference.
pub fn digest(form: &PosForm, lines: &[PricedLine]) -> Result<Vec<u8>, serde_json::Error> {
    let mut written: Vec<_> = form
        .lines
        .iter()
        .zip(lines)
        .map(|(line, priced)| {
            let price = priced.unit_price.normalize();
            (line.line_no, &line.sku, line.quantity, price, priced.discount_amount, priced.disposition)
        })
        .collect();
    written.sort_unstable_by_key(|line| line.0);
    let tenders: Vec<_> =
        form.tenders.iter().map(|it| (&it.method, it.amount.amount, it.reference.as_deref())).collect();
    let mut originals: Vec<_> =
        form.lines.iter().filter_map(|line| Some((line.line_no, form.original_of(line)?))).collect();
    originals.sort_unstable_by_key(|it| it.0);
    let voids = form.voids.map(|voids| (voids.business_date, voids.sequence));
    let mut digest = Parts(Vec::with_capacity(FIELDS.len().saturating_mul(PART_BYTES)));
    digest.push(&form.kind)?;
    digest.push(&form.occurred_at)?;
    digest.push(&form.channel)?;
    digest.push(&form.currency)?;
    digest.push(&form.buyer)?;
    digest.push(&form.guide)?;
    digest.push(&form.note)?;
    digest.push(&voids)?;
    if originals.is_empty() {
        digest.push(&written)?;
    } else {
        digest.push(&(&written, &originals))?;
    }
    digest.push(&tenders)?;
    Ok(digest.0)
}

struct Parts(Vec<u8>);

impl Parts {
    fn push(&mut self, field: &impl Serialize) -> Result<(), serde_json::Error> {
        let hash = Sha256::digest(serde_json::to_vec(field)?);
        self.0.extend(hash.iter().take(PART_BYTES));
        Ok(())
    }
}

/// The fields in which two digests differ.
pub fn differences(ours: &[u8], theirs: &[u8]) -> Vec<&'static str> {
    let mut ours = ours.chunks(PART_BYTES);
    let mut theirs = theirs.chunks(PART_BYTES);
    FIELDS.into_iter().filter(|_| ours.next() != theirs.next()).collect()
}
