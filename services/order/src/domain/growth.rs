//! How orders grow: a line never does, because what its units are worth is settled once. More units of a line are a line of
//! their own that says which one it extends, and to whoever asks for units of the line they are its newest units.

use super::line::Line;

/// The highest number that a channel or a client gives a line: those above are given here, to lines that extend others, so
/// that no channel ever needs one of them.
pub const MAX_LINE_NO: i32 = 1_000_000_000;

/// A line, and those that extend it, the newest first.
fn newest_first(lines: &[Line], line_no: i32) -> impl Iterator<Item = &Line> {
    let is_of = move |line: &&Line| line.line_no == line_no || line.extends == Some(line_no);
    // Whatever extends a line has a higher number than all that extended it before, and than the line.
    let mut group: Vec<&Line> = lines.iter().filter(is_of).collect();
    group.sort_unstable_by_key(|line| std::cmp::Reverse(line.line_no));
    group.into_iter()
}

/// The units of a line that are still wanted, those of lines that extend it among them.
pub fn live(lines: &[Line], line_no: i32) -> i64 {
    newest_first(lines, line_no).fold(0, |sum, line| sum.saturating_add(line.live()))
}

/// The steps by which a line, and those that extend it, lose so many units: the newest ones first that have not left. What
/// there is not enough of comes off the line itself, which is refused where that is carried out.
pub fn take_off(lines: &[Line], line_no: i32, units: i64) -> Vec<(i32, i64)> {
    let mut left = units;
    let mut steps = Vec::new();
    for line in newest_first(lines, line_no) {
        let open = line.live().saturating_sub(line.shipped);
        let taken = if line.line_no == line_no { left } else { open.min(left) };
        if taken > 0 {
            steps.push((line.line_no, taken));
            left = left.saturating_sub(taken);
        }
    }
    steps
}

/// The numbers of lines that extend others of this order and are not there yet.
pub fn numbers(lines: &[Line]) -> impl Iterator<Item = i32> + use<> {
    let highest = lines.iter().map(|line| line.line_no).max().unwrap_or_default().max(MAX_LINE_NO);
    (highest..i32::MAX).map(|number| number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line_no: i32, quantity: i64, shipped: i64, extends: Option<i32>) -> Line {
        Line { shipped, extends, ..Line::of(line_no, "A", quantity) }
    }

    #[test]
    fn the_newest_units_go_first_that_have_not_left() {
        let mut lines = [line(1, 5, 0, None), line(2, 7, 0, None), line(1_000_000_001, 2, 1, Some(1))];
        let newest = line(1_000_000_003, 3, 0, Some(1));
        let lines = {
            lines[1].cancelled = 1;
            [lines.as_slice(), &[newest]].concat()
        };
        assert_eq!((live(&lines, 1), live(&lines, 2), live(&lines, 9)), (10, 6, 0));
        // Three of the newest, one of the other two that has not left, the rest of the line itself.
        assert_eq!(take_off(&lines, 1, 2), [(1_000_000_003, 2)]);
        assert_eq!(take_off(&lines, 1, 6), [(1_000_000_003, 3), (1_000_000_001, 1), (1, 2)]);
        assert_eq!(take_off(&lines, 1, 11), [(1_000_000_003, 3), (1_000_000_001, 1), (1, 7)]);
        assert_eq!(take_off(&lines, 2, 1), [(2, 1)]);
    }

    #[test]
    fn numbers_are_given_above_those_that_channels_give() {
        assert_eq!(numbers(&[line(7, 1, 0, None)]).take(2).collect::<Vec<_>>(), [1_000_000_001, 1_000_000_002]);
        assert_eq!(numbers(&[line(1_000_000_004, 1, 0, Some(7))]).next(), Some(1_000_000_005));
        // An order from before the limit may use up all numbers: then nothing extends its lines.
        assert_eq!(numbers(&[line(i32::MAX, 1, 0, None)]).next(), None);
    }
}
