//! Gifts: lines that cost nothing, and the lines they come with.

use super::faults::Faults;
use super::form::LineForm;
use super::line::Line;

/// Refuses gifts that come with nothing.
pub fn check(lines: &[LineForm], faults: &mut Faults) {
    for (index, line) in lines.iter().enumerate() {
        let Some(with) = line.gift_with else { continue };
        let field = format!("lines[{index}].gift_with");
        match lines.iter().find(|it| it.line_no == with) {
            _ if !line.gift => faults.add(field, "belongs to a gift"),
            None => faults.add(field, format!("names line {with}, which the order does not have")),
            Some(it) if it.gift => faults.add(field, format!("names line {with}, which is a gift itself")),
            Some(_) => {}
        }
    }
}

/// The units of gifts that are cancelled as well when so many units of lines are, each line named once: as far as they have
/// not left.
pub fn cancelled_with(lines: &[Line], steps: &[(i32, i64)]) -> Vec<(i32, i64)> {
    let named = |line_no: i32| steps.iter().find(|(named, _)| *named == line_no).map_or(0, |(_, units)| *units);
    let follow = |gift: &Line| {
        let line = lines.iter().find(|line| Some(line.line_no) == gift.gift_with)?;
        let (more, named) = (named(line.line_no), named(gift.line_no));
        let due = due(gift, line, more).saturating_sub(named);
        let open = gift.live().saturating_sub(gift.shipped).saturating_sub(named);
        let units = due.min(open);
        (more > 0 && units > 0).then_some((gift.line_no, units))
    };
    lines.iter().filter_map(follow).collect()
}

/// The units of gifts that are to come back as well, as these lines have.
pub fn due_back(lines: &[Line], returned: &[i32]) -> Vec<(i32, i64)> {
    let follow = |gift: &Line| {
        let line = lines.iter().find(|line| Some(line.line_no) == gift.gift_with)?;
        let units = due(gift, line, 0);
        (returned.contains(&line.line_no) && units > 0).then_some((gift.line_no, units))
    };
    lines.iter().filter_map(follow).collect()
}

/// How many more units of a gift are to go as so many more of its line go: of g units with n, after k are gone, g × k ÷ n
/// rounded down.
fn due(gift: &Line, line: &Line, more: i64) -> i64 {
    let gone = line.cancelled.saturating_add(line.returned).saturating_add(more);
    let due = i128::from(gift.quantity) * i128::from(gone) / i128::from(line.quantity.max(1));
    i64::try_from(due).unwrap_or(gift.quantity).saturating_sub(gift.cancelled).saturating_sub(gift.returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line_no: i32, quantity: i64, gift_with: Option<i32>) -> Line {
        Line { gift_with, ..Line::of(line_no, "A", quantity) }
    }

    #[test]
    fn a_gift_for_every_two_goes_with_every_second_unit() {
        // 2 gifts with 5 units: after 1 to 5 units are gone, 2k ÷ 5 → 0, 0, 1, 1, 2.
        let mut lines = vec![line(1, 5, None), line(2, 2, Some(1))];
        let mut gone = Vec::new();
        for _ in 0..5 {
            let steps = cancelled_with(&lines, &[(1, 1)]);
            lines[0].cancelled += 1;
            lines[1].cancelled += steps.iter().map(|(_, units)| units).sum::<i64>();
            gone.push(lines[1].cancelled);
        }
        assert_eq!(gone, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn what_is_cancelled_already_or_has_left_is_not_cancelled_again() {
        let mut lines = vec![line(1, 2, None), line(2, 2, Some(1))];
        assert_eq!(cancelled_with(&lines, &[(1, 2), (2, 1)]), [(2, 1)]);
        lines[1].shipped = 2;
        assert_eq!(cancelled_with(&lines, &[(1, 2)]), []);
        assert_eq!(cancelled_with(&lines, &[(2, 1)]), []);
    }

    #[test]
    fn a_return_asks_for_the_gift_until_it_comes_back() {
        let mut lines = vec![line(1, 2, None), line(2, 1, Some(1))];
        lines[0].returned = 1;
        assert_eq!(due_back(&lines, &[1]), []);
        lines[0].returned = 2;
        assert_eq!(due_back(&lines, &[1]), [(2, 1)]);
        assert_eq!(due_back(&lines, &[2]), []);
        lines[1].returned = 1;
        assert_eq!(due_back(&lines, &[1]), []);
    }
}
