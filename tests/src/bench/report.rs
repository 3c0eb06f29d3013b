//! The report: every figure with its limit beside it, as JSON and as a table.

use serde_json::{Value, json};

/// How a figure is judged.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// Nothing is asked of it.
    None,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    value: f64,
    limit: Limit,
}

/// Every figure of a run.
#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<Figure>,
    failures: Vec<String>,
}

impl Report {
    /// Adds a figure, and says it.
    pub fn figure(&mut self, name: &str, value: f64, limit: Limit) {
        let figure = Figure { name: name.to_owned(), value, limit };
        eprintln!("{}", row(&figure));
        if !figure.holds() {
            self.failures.push(row(&figure));
        }
        self.figures.push(figure);
    }

    /// A figure that was added before.
    pub fn value(&self, name: &str) -> f64 {
        self.figures.iter().find(|figure| figure.name == name).map_or(0.0, |figure| figure.value)
    }

    /// Adds an invariant that must hold after a run.
    pub fn must(&mut self, what: &str, holds: bool) {
        eprintln!("  {} {what}", if holds { "holds:" } else { "BROKEN:" });
        if !holds {
            self.failures.push(format!("broken: {what}"));
        }
    }

    /// The report as JSON.
    pub fn json(&self, machine: &Value) -> Value {
        let figures: serde_json::Map<String, Value> =
            self.figures.iter().map(|f| (f.name.clone(), json!(f.value))).collect();
        json!({ "machine": machine, "figures": figures, "failures": self.failures })
    }

    /// The report as a Markdown table.
    pub fn table(&self) -> String {
        let mut lines = vec!["| figure | value | asked |".to_owned(), "|---|---:|---:|".to_owned()];
        lines.extend(self.figures.iter().map(row));
        lines.join("\n")
    }

    /// What did not hold.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }
}

impl Figure {
    fn holds(&self) -> bool {
        match self.limit {
            Limit::AtLeast(least) => self.value >= least,
            Limit::AtMost(most) => self.value <= most,
            Limit::None => true,
        }
    }
}

fn row(figure: &Figure) -> String {
    let asked = match figure.limit {
        Limit::AtLeast(least) => format!("at least {least}"),
        Limit::AtMost(most) => format!("at most {most}"),
        Limit::None => String::new(),
    };
    format!("| {} | {:.1} | {asked} |", figure.name, figure.value)
}

/// The latency that so many of a hundred stay under, in milliseconds, of sorted ones in microseconds.
pub fn percentile_ms(sorted_us: &[u64], percent: f64) -> f64 {
    let last = sorted_us.len().saturating_sub(1);
    let index = ((last as f64) * percent / 100.0).round() as usize;
    sorted_us.get(index).copied().unwrap_or(0) as f64 / 1_000.0
}
