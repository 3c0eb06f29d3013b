//! State machines: a table of what may follow what.

/// Declares a state machine: its states with their texts, and which states may follow each.
#[macro_export]
macro_rules! states {
    (
        $(#[$meta:meta])* $name:ident {
            $($(#[$state_meta:meta])* $state:ident = $text:literal => [$($next:ident),* $(,)?]),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$state_meta])* $state,)+
        }

        impl $name {
            /// Every state, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$state,)+];

            /// The state as it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$state => $text,)+ }
            }

            /// The state of this text; none when the text names no state.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text)
            }

            /// The states that may follow this one.
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$state => &[$(Self::$next,)*],)+ }
            }

            /// Whether `next` may follow this state.
            pub fn may_become(self, next: Self) -> bool {
                self.next().contains(&next)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// Checks every pair of a machine against a matrix written by hand, for a test: one row per state in the order of the table,
/// `x` where the column's state may follow.
#[macro_export]
macro_rules! every_pair {
    ($test:ident, $machine:ty, $matrix:expr) => {
        #[test]
        fn $test() {
            let rows: Vec<&str> = $matrix.to_vec();
            assert_eq!(rows.len(), <$machine>::ALL.len());
            for (from, row) in <$machine>::ALL.iter().zip(rows) {
                assert_eq!(row.len(), <$machine>::ALL.len(), "{from}");
                for (to, cell) in <$machine>::ALL.iter().zip(row.chars()) {
                    assert_eq!(from.may_become(*to), cell == 'x', "{from} -> {to}");
                }
            }
        }
    };
}
