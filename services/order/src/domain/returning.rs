//! Which units of an order a return claims.

use kernel::SkuCode;

use super::line::Line;

/// Units that somebody wants to return: of a line, or of a SKU wherever it stands in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The order line, when named.
    pub line_no: Option<i32>,
    /// The SKU, when named.
    pub sku: Option<SkuCode>,
    /// How many units.
    pub quantity: i64,
}

/// Why units cannot be returned. `index` is the place in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The order has no such line or SKU.
    Unknown {
        /// Place in the request.
        index: usize,
    },
    /// Fewer units were shipped and not yet returned.
    TooMany {
        /// Place in the request.
        index: usize,
        /// How many may be returned.
        returnable: i64,
    },
}

/// The units to claim per order line, each line named once.
pub fn claim(lines: &[Line], wanted: &[Wanted]) -> Result<Vec<(i32, i64)>, Refusal> {
    let mut claims: Vec<(i32, i64)> = Vec::new();
    for (index, want) in wanted.iter().enumerate() {
        let matches = |line: &&Line| {
            want.line_no.is_none_or(|number| number == line.line_no)
                && want.sku.as_ref().is_none_or(|sku| *sku == line.sku)
        };
        let mut left = want.quantity;
        let mut known = false;
        for line in lines.iter().filter(matches) {
            known = true;
            let claimed = claims.iter().find(|(number, _)| *number == line.line_no).map_or(0, |(_, units)| *units);
            let units = left.min(line.returnable().saturating_sub(claimed)).max(0);
            left = left.saturating_sub(units);
            match claims.iter_mut().find(|(number, _)| *number == line.line_no) {
                Some((_, sum)) => *sum = sum.saturating_add(units),
                None if units > 0 => claims.push((line.line_no, units)),
                None => {}
            }
        }
        if !known {
            return Err(Refusal::Unknown { index });
        }
        if left > 0 {
            return Err(Refusal::TooMany { index, returnable: want.quantity.saturating_sub(left) });
        }
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line_no: i32, sku: &str, shipped: i64, returned: i64) -> Line {
        Line { shipped, returned, ..Line::of(line_no, sku, 10) }
    }

    fn want(line_no: Option<i32>, sku: Option<&str>, quantity: i64) -> Wanted {
        Wanted { line_no, sku: sku.map(|sku| sku.parse().unwrap()), quantity }
    }

    #[test]
    fn a_sku_is_found_on_every_line_that_has_it() {
        let lines = [line(1, "A", 2, 1), line(2, "B", 5, 0), line(3, "A", 4, 0)];
        assert_eq!(claim(&lines, &[want(None, Some("A"), 3)]), Ok(vec![(1, 1), (3, 2)]));
    }

    #[test]
    fn no_more_than_was_shipped_and_not_yet_returned() {
        let lines = [line(1, "A", 2, 1)];
        assert_eq!(claim(&lines, &[want(Some(1), None, 2)]), Err(Refusal::TooMany { index: 0, returnable: 1 }));
        // The same line twice in one request counts together.
        let twice = [want(Some(1), None, 1), want(None, Some("A"), 1)];
        assert_eq!(claim(&lines, &twice), Err(Refusal::TooMany { index: 1, returnable: 0 }));
    }

    #[test]
    fn what_was_not_bought_is_unknown() {
        assert_eq!(claim(&[line(1, "A", 2, 0)], &[want(None, Some("B"), 1)]), Err(Refusal::Unknown { index: 0 }));
        assert_eq!(claim(&[line(1, "A", 2, 0)], &[want(Some(1), Some("B"), 1)]), Err(Refusal::Unknown { index: 0 }));
    }
}
