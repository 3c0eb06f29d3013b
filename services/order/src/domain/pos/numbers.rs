//! Which numbers of a till's day have come, and which are missing between them.

/// Numbers that have not come although later ones have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The first that is missing.
    pub first: i64,
    /// The last that is missing.
    pub last: i64,
}

impl Gap {
    /// How many numbers are missing.
    pub const fn missing(self) -> i64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The numbers of a day. Every number from the first to the last has come or lies in a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The first and the last; none before anything has come.
    pub span: Option<(i64, i64)>,
    /// What is missing between them, in order, never two ranges side by side.
    pub gaps: Vec<Gap>,
}

impl Numbers {
    /// A number comes that has not come before.
    pub fn come(&mut self, number: i64) {
        if self.reach(number, number) {
            return;
        }
        let at = self.gaps.partition_point(|gap| gap.last < number);
        let Some(gap) = self.gaps.get(at).copied().filter(|gap| gap.first <= number) else { return };
        let before = Gap { last: number.saturating_sub(1), ..gap };
        let after = Gap { first: number.saturating_add(1), ..gap };
        let rest = [before, after].into_iter().filter(|gap| gap.first <= gap.last);
        self.gaps.splice(at..=at, rest);
    }

    /// The till says that it wrote every number of this range: what has not come of it is missing.
    pub fn declare(&mut self, first: i64, last: i64) {
        if first > last {
            return;
        }
        if self.span.is_none() {
            self.span = Some((first, last));
            self.gaps.push(Gap { first, last });
            return;
        }
        self.reach(first, first.saturating_sub(1));
        self.reach(last.saturating_add(1), last);
    }

    /// Widens the span to a number, with a gap between; whether it lay outside. `first..=last` is what has come there.
    fn reach(&mut self, first: i64, last: i64) -> bool {
        let Some((lowest, highest)) = self.span else {
            self.span = Some((first, last));
            return true;
        };
        if first < lowest {
            self.widen(Gap { first: last.saturating_add(1), last: lowest.saturating_sub(1) }, 0);
            self.span = Some((first, highest));
            true
        } else if last > highest {
            self.widen(Gap { first: highest.saturating_add(1), last: first.saturating_sub(1) }, self.gaps.len());
            self.span = Some((lowest, last));
            true
        } else {
            false
        }
    }

    /// Adds a range at an end of the gaps, to the one beside it if they touch.
    fn widen(&mut self, gap: Gap, at: usize) {
        if gap.first > gap.last {
            return;
        }
        let beside = self.gaps.get_mut(at.saturating_sub(1));
        match beside {
            Some(beside) if beside.last.saturating_add(1) == gap.first => beside.last = gap.last,
            Some(beside) if gap.last.saturating_add(1) == beside.first => beside.first = gap.first,
            _ => self.gaps.insert(at, gap),
        }
    }

    /// How many numbers are missing.
    pub fn missing(&self) -> i64 {
        self.gaps.iter().fold(0, |sum, gap| sum.saturating_add(gap.missing()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn gaps(numbers: &Numbers) -> Vec<(i64, i64)> {
        numbers.gaps.iter().map(|gap| (gap.first, gap.last)).collect()
    }

    #[test]
    fn a_gap_opens_splits_and_closes() {
        let mut numbers = Numbers::default();
        numbers.come(3);
        numbers.come(8);
        assert_eq!(gaps(&numbers), [(4, 7)]);
        numbers.come(5);
        assert_eq!(gaps(&numbers), [(4, 4), (6, 7)]);
        numbers.come(4);
        numbers.come(7);
        numbers.come(6);
        assert_eq!(gaps(&numbers), []);
        numbers.come(1);
        assert_eq!((gaps(&numbers), numbers.span), (vec![(2, 2)], Some((1, 8))));
    }

    #[test]
    fn a_declaration_shows_what_is_missing_at_both_ends() {
        let mut numbers = Numbers::default();
        numbers.come(3);
        numbers.declare(1, 5);
        assert_eq!((gaps(&numbers), numbers.span), (vec![(1, 2), (4, 5)], Some((1, 5))));
        let mut nothing = Numbers::default();
        nothing.declare(1, 0);
        assert_eq!(nothing, Numbers::default());
        nothing.declare(4, 6);
        nothing.come(5);
        assert_eq!(gaps(&nothing), [(4, 4), (6, 6)]);
    }

    proptest! {
        #[test]
        fn gaps_are_what_a_set_says_is_missing(
            come in prop::collection::btree_set(1_i64..60, 0..40).prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle(),
            declared in prop::option::of((1_i64..60, 0_i64..20)),
            when in 0_usize..40,
        ) {
            let mut numbers = Numbers::default();
            let mut expected: BTreeSet<i64> = BTreeSet::new();
            let declare = |numbers: &mut Numbers| if let Some((first, more)) = declared {
                numbers.declare(first, first + more);
            };
            for (index, number) in come.iter().enumerate() {
                if index == when { declare(&mut numbers); }
                numbers.come(*number);
            }
            if when >= come.len() { declare(&mut numbers); }
            let ends = come.iter().copied().chain(declared.iter().flat_map(|(first, more)| [*first, first + more]));
            let ends: Vec<i64> = ends.collect();
            if let (Some(first), Some(last)) = (ends.iter().min(), ends.iter().max()) {
                expected.extend(*first..=*last);
                prop_assert_eq!(numbers.span, Some((*first, *last)));
            }
            for number in &come { expected.remove(number); }
            let missing: Vec<i64> = numbers.gaps.iter().flat_map(|gap| gap.first..=gap.last).collect();
            prop_assert_eq!(missing, expected.into_iter().collect::<Vec<_>>());
            prop_assert!(numbers.gaps.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }
    }
}
