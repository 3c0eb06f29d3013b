//! Parcels: rows of the outbox that follow one another and hold events of one kind and partition go as one message, since
//! each message costs the broker and its readers the same, however little is in it.

use store::outbox::Unsent;

/// The most bytes after which a message takes no further row: as much as one row may hold by itself.
const MAX_BYTES: usize = 256 * 1024;
/// The most events in a message: what a consumer handles in one transaction.
const MAX_EVENTS: u64 = 500;

/// One message in the making.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// The id of its first row.
    pub id: i64,
    pub kind: String,
    pub partition: i16,
    /// A JSON array of CloudEvents.
    pub body: String,
    pub events: u64,
    /// Every row in it.
    pub rows: Vec<i64>,
}

/// Packs rows, without changing the order of any two events.
pub(crate) fn parcels(rows: Vec<Unsent>) -> Vec<Parcel> {
    let mut parcels: Vec<Parcel> = Vec::with_capacity(rows.len());
    for row in rows {
        match parcels.last_mut() {
            Some(parcel) if parcel.takes(&row) => parcel.add(&row),
            _ => parcels.push(Parcel::of(row)),
        }
    }
    parcels
}

impl Parcel {
    fn of(row: Unsent) -> Self {
        let events = u64::try_from(row.events).unwrap_or(0);
        Self { id: row.id, kind: row.kind, partition: row.partition, body: row.body, events, rows: vec![row.id] }
    }

    fn takes(&self, row: &Unsent) -> bool {
        let events = self.events.saturating_add(u64::try_from(row.events).unwrap_or(u64::MAX));
        self.kind == row.kind
            && self.partition == row.partition
            && events <= MAX_EVENTS
            && self.body.len().saturating_add(row.body.len()) <= MAX_BYTES
            && self.body.ends_with(']')
            && row.body.starts_with('[')
    }

    fn add(&mut self, row: &Unsent) {
        // Both are JSON arrays that hold something: `[a]` and `[b]` become `[a,b]`.
        self.body.pop();
        self.body.push(',');
        self.body.push_str(row.body.get(1..).unwrap_or_default());
        self.events = self.events.saturating_add(u64::try_from(row.events).unwrap_or(0));
        self.rows.push(row.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, kind: &str, partition: i16, body: &str) -> Unsent {
        let events = body.matches('{').count().try_into().unwrap();
        Unsent { id, kind: kind.to_owned(), partition, events, body: body.to_owned() }
    }

    #[test]
    fn neighbours_of_one_kind_and_partition_go_together() {
        let packed = parcels(vec![
            row(1, "a", 0, r#"[{"n":1},{"n":2}]"#),
            row(2, "a", 0, r#"[{"n":3}]"#),
            row(3, "b", 0, r#"[{"n":4}]"#),
            row(4, "a", 0, r#"[{"n":5}]"#),
            row(5, "a", 1, r#"[{"n":6}]"#),
        ]);
        let seen: Vec<(&[i64], &str, u64)> =
            packed.iter().map(|it| (it.rows.as_slice(), it.body.as_str(), it.events)).collect();
        assert_eq!(
            seen,
            [
                (&[1, 2][..], r#"[{"n":1},{"n":2},{"n":3}]"#, 3),
                (&[3], r#"[{"n":4}]"#, 1),
                (&[4], r#"[{"n":5}]"#, 1),
                (&[5], r#"[{"n":6}]"#, 1),
            ]
        );
    }

    #[test]
    fn a_message_stays_within_its_limits() {
        let large = format!("[{{\"text\":\"{}\"}}]", "x".repeat(MAX_BYTES / 2));
        let packed = parcels(vec![row(1, "a", 0, &large), row(2, "a", 0, &large), row(3, "a", 0, "[{}]")]);
        assert_eq!(packed.iter().map(|it| it.rows.clone()).collect::<Vec<_>>(), [vec![1], vec![2, 3]]);
        let many = format!("[{}]", vec!["{}"; 300].join(","));
        let packed = parcels(vec![row(1, "a", 0, &many), row(2, "a", 0, &many)]);
        assert_eq!(packed.len(), 2);
    }
}
