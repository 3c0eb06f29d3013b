//! What a replay found: an outcome per row, a verdict per total and per invariant.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Outcome;
use super::figures::Figure;
use super::plan::Back;
use super::rows::Row;

/// Published totals that are about the file alone: OnePool does not keep what somebody typed beside an article, so it
/// cannot tell a line that was typed twice from one that was bought twice.
const NOT_ASKED: [&str; 3] =
    ["raw.exact_duplicate_rows", "clean.after_exact_dedup_rows", "clean.after_exact_dedup_revenue"];
/// Rows without exactly one outcome that are told; the rest is counted.
const TOLD: usize = 20;

/// The report.
#[derive(Debug, Default)]
pub struct Report {
    /// The totals.
    pub figures: Vec<Figure>,
    rows: usize,
    outcomes: BTreeMap<String, usize>,
    unaccounted: Vec<String>,
    counts: BTreeMap<&'static str, usize>,
    matches: BTreeMap<&'static str, Back>,
    seconds: BTreeMap<&'static str, f64>,
    invariants: Vec<(String, bool)>,
}

impl Report {
    /// How many of something there were.
    pub fn count(&mut self, what: &'static str, count: usize) {
        self.counts.insert(what, count);
    }

    /// Which purchases returns were matched to; every unit that came back is in one of them.
    pub fn matches(&mut self, matches: BTreeMap<&'static str, Back>, rows: &[Row]) {
        let is_back = |row: &&Row| row.invoice.starts_with('C') && row.quantity < 0 && row.price >= Decimal::ZERO;
        let all = rows.iter().filter(is_back).map(|row| -row.quantity).sum::<i64>();
        let matched: i64 = matches.values().map(|it| it.units).sum();
        self.must(&format!("{matched} units come back of {all} that are cancelled"), matched == all);
        self.matches = matches;
    }

    /// How long a part of the run took.
    pub fn took(&mut self, what: &'static str, duration: Duration) {
        eprintln!("  {what} took {:.1} s", duration.as_secs_f64());
        self.seconds.insert(what, (duration.as_secs_f64() * 10.0).round() / 10.0);
    }

    /// What became of every row.
    pub fn outcomes(&mut self, rows: &[Row], outcomes: &[Vec<Outcome>]) {
        self.rows = rows.len();
        let mut odd = 0;
        for (row, outcomes) in rows.iter().zip(outcomes) {
            if let [outcome] = outcomes.as_slice() {
                *self.outcomes.entry(outcome.name()).or_default() += 1;
                continue;
            }
            odd += 1;
            if odd <= TOLD {
                self.unaccounted.push(format!("{outcomes:?}: {row:?}"));
            }
        }
        self.must(&format!("each of {} rows has exactly one outcome; {odd} have not", rows.len()), odd == 0);
    }

    /// What OnePool holds otherwise than it was sent.
    pub fn differences(&mut self, count: usize, told: &[String]) {
        self.unaccounted.extend_from_slice(told);
        self.must(&format!("every line in OnePool is as it was sent; {count} are not"), count == 0);
    }

    /// An invariant.
    pub fn must(&mut self, what: &str, holds: bool) {
        self.invariants.push((what.to_owned(), holds));
    }

    /// Rows with this outcome.
    pub fn with_outcome(&self, outcome: &Outcome) -> usize {
        self.outcomes.get(&outcome.name()).copied().unwrap_or_default()
    }

    /// What is not as it must be; empty after a good run.
    pub fn faults(&self) -> Vec<String> {
        let figures = self.figures.iter().filter(|figure| !figure.holds());
        let figures =
            figures.map(|it| format!("{}: {} was published, OnePool says {}", it.name, it.expected, it.onepool));
        let broken = self.invariants.iter().filter(|(_, holds)| !holds).map(|(what, _)| format!("broken: {what}"));
        figures.chain(broken).chain(self.unaccounted.iter().cloned()).collect()
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let figure = |it: &Figure| json!({ "name": it.name, "published": it.expected, "onepool": it.onepool, "holds": it.holds(), "asked": it.from });
        let back =
            |it: &Back| json!({ "lines": it.lines, "units": it.units, "value": it.value.normalize().to_string() });
        let matches: BTreeMap<&str, Value> = self.matches.iter().map(|(what, it)| (*what, back(it))).collect();
        let invariant = |(what, holds): &(String, bool)| json!({ "what": what, "holds": holds });
        json!({
            "rows": self.rows,
            "outcomes": self.outcomes,
            "counts": self.counts,
            "cancelled_lines": matches,
            "figures": self.figures.iter().map(figure).collect::<Vec<_>>(),
            "not_asked": NOT_ASKED,
            "invariants": self.invariants.iter().map(invariant).collect::<Vec<_>>(),
            "seconds": self.seconds,
            "total_seconds": (self.seconds.values().sum::<f64>() * 10.0).round() / 10.0,
            "faults": self.faults(),
        })
    }
}
