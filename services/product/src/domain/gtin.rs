//! Global Trade Item Numbers and their check digit (GS1 General Specifications, section 7.9).

/// Whether the text is a GTIN-8, -12, -13 or -14 whose last digit checks.
pub fn is_valid(text: &str) -> bool {
    if !matches!(text.len(), 8 | 12 | 13 | 14) {
        return false;
    }
    let Some(digits) = text.chars().map(|c| c.to_digit(10)).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    // From the right, the check digit weighs 1, the next 3, and so on; a valid number sums to a multiple of ten.
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([1_u32, 3].into_iter().cycle())
        .map(|(digit, weight)| digit.saturating_mul(weight))
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn published_numbers_check() {
        // GS1's own examples of an EAN-13, a UPC-A and an EAN-8.
        assert!(is_valid("6291041500213"));
        assert!(is_valid("036000291452"));
        assert!(is_valid("96385074"));
    }

    #[test]
    fn a_wrong_digit_is_noticed() {
        assert!(!is_valid("6291041500214"));
        assert!(!is_valid("629104150021"));
        assert!(!is_valid("62910415002x3"));
        assert!(!is_valid(""));
    }
}
