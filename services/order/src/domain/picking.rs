//! What a location found on its shelves of a fulfilment order, and what it did not.

use std::collections::HashMap;

use contracts::FieldError;
use contracts::events::FulfilmentLine;
use kernel::{Quantity, SkuCode};

/// So many units were found of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The order line.
    pub line_no: i32,
    /// Which component of a bundle; may be left out where the fulfilment order has one SKU of the line.
    pub sku: Option<SkuCode>,
    /// Units; none is said by 0 or by not naming the line.
    pub quantity: i64,
}

/// A fulfilment order's lines, parted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// What is off the shelf.
    pub taken: Vec<FulfilmentLine>,
    /// What was not there.
    pub missing: Vec<FulfilmentLine>,
}

/// Parts lines by what was found of them. Components of a bundle are found or missing each by itself, as they may be
/// shipped by different locations from the start.
pub fn pick(lines: &[FulfilmentLine], found: &[Found]) -> Result<Picked, FieldError> {
    let fault = |field: String, detail: String| FieldError { field, detail };
    let mut here: HashMap<i32, Vec<&FulfilmentLine>> = HashMap::new();
    lines.iter().for_each(|line| here.entry(line.line_no).or_default().push(line));
    let mut units: HashMap<(i32, &SkuCode), i64> = HashMap::new();
    for (index, found) in found.iter().enumerate() {
        let line_no = found.line_no;
        let candidates = here.get(&line_no).map(Vec::as_slice).unwrap_or_default().iter();
        let mut candidates = candidates.filter(|line| found.sku.as_ref().is_none_or(|sku| *sku == line.sku));
        let Some(line) = candidates.next() else {
            let sku = found.sku.as_ref().map(|sku| format!(" of {sku}")).unwrap_or_default();
            return Err(fault(format!("lines[{index}].line_no"), format!("no line {line_no}{sku} is here")));
        };
        if candidates.next().is_some() {
            let detail = format!("line {line_no} has several components here: name one");
            return Err(fault(format!("lines[{index}].sku"), detail));
        }
        if found.quantity < 0 || found.quantity > line.quantity.get() {
            let detail = format!("line {line_no} has {} units here", line.quantity);
            return Err(fault(format!("lines[{index}].quantity"), detail));
        }
        if units.insert((line_no, &line.sku), found.quantity).is_some() {
            return Err(fault(format!("lines[{index}]"), "is named twice".to_owned()));
        }
    }
    let mut picked = Picked::default();
    for line in lines {
        let units = units.get(&(line.line_no, &line.sku)).copied().unwrap_or_default();
        let some = |units| Quantity::try_from(units).ok().map(|quantity| FulfilmentLine { quantity, ..line.clone() });
        picked.taken.extend(some(units));
        picked.missing.extend(some(line.quantity.get().saturating_sub(units)));
    }
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(line_no: i32, sku: &str, quantity: i64) -> FulfilmentLine {
        FulfilmentLine { line_no, sku: sku.parse().unwrap(), quantity: quantity.try_into().unwrap() }
    }

    fn found(line_no: i32, sku: Option<&str>, quantity: i64) -> Found {
        Found { line_no, sku: sku.map(|sku| sku.parse().unwrap()), quantity }
    }

    #[test]
    fn what_is_not_named_was_not_found() {
        let lines = [units(1, "A", 3), units(2, "CUP", 4), units(2, "POT", 2), units(3, "B", 1)];
        let picked = pick(&lines, &[found(1, None, 2), found(2, Some("CUP"), 4), found(2, Some("POT"), 0)]).unwrap();
        assert_eq!(picked.taken, [units(1, "A", 2), units(2, "CUP", 4)]);
        assert_eq!(picked.missing, [units(1, "A", 1), units(2, "POT", 2), units(3, "B", 1)]);
        assert_eq!(pick(&lines, &[]).unwrap(), Picked { taken: vec![], missing: lines.to_vec() });
    }

    #[test]
    fn every_fault_is_named() {
        let lines = [units(1, "A", 3), units(2, "CUP", 4), units(2, "POT", 2)];
        let field = |all: &[Found]| pick(&lines, all).unwrap_err().field;
        assert_eq!(field(&[found(1, None, 1), found(9, None, 1)]), "lines[1].line_no");
        assert_eq!(field(&[found(1, Some("B"), 1)]), "lines[0].line_no");
        assert_eq!(field(&[found(1, None, 4)]), "lines[0].quantity");
        assert_eq!(field(&[found(1, None, -1)]), "lines[0].quantity");
        assert_eq!(field(&[found(2, None, 1)]), "lines[0].sku");
        assert_eq!(field(&[found(1, None, 1), found(1, Some("A"), 1)]), "lines[1]");
    }
}
