//! How a siege went.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Requests of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answers {
    /// What was granted.
    pub granted: usize,
    /// What was refused by a rule, by the code of the problem.
    refusals: BTreeMap<String, usize>,
    /// Tries that were not answered, or answered by a service that was not there; each was made again under its key until
    /// there was an answer.
    pub unanswered: usize,
}

impl Answers {
    /// What was refused by a rule.
    pub fn refused(&self) -> usize {
        self.refusals.values().sum()
    }

    /// Counts a refusal.
    pub fn refuse(&mut self, code: &str) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
    }
}

impl AddAssign<&Self> for Answers {
    fn add_assign(&mut self, other: &Self) {
        self.granted += other.granted;
        self.unanswered += other.unanswered;
        for (code, times) in &other.refusals {
            *self.refusals.entry(code.clone()).or_default() += times;
        }
    }
}

/// Requests by what they were for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally(BTreeMap<String, Answers>);

impl Tally {
    /// The answers to requests of a kind.
    pub fn of(&self, what: &str) -> Answers {
        self.0.get(what).cloned().unwrap_or_default()
    }

    /// The answers to requests of a kind, to be added to.
    pub fn of_mut(&mut self, what: &str) -> &mut Answers {
        self.0.entry(what.to_owned()).or_default()
    }

    /// All answers.
    pub fn all(&self) -> Answers {
        let mut all = Answers::default();
        self.0.values().for_each(|answers| all += answers);
        all
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, answers)| *self.of_mut(what) += answers);
    }
}

/// A siege that was laid and judged.
#[derive(Clone, Debug)]
pub struct Report {
    /// Attempts over all besiegers.
    pub attempts: usize,
    /// Processes that besieged.
    pub processes: usize,
    /// How long they did.
    pub lasted: Duration,
    /// What they were answered.
    pub tally: Tally,
    /// Units that moved by their answers, by kind of movement.
    pub moved: BTreeMap<String, i64>,
    /// How often each process was killed.
    pub kills: BTreeMap<String, usize>,
}

impl Report {
    /// Attempts a second.
    pub fn per_second(&self) -> f64 {
        self.attempts as f64 / self.lasted.as_secs_f64().max(f64::EPSILON)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let all = self.tally.all();
        let (seconds, rate) = (self.lasted.as_secs_f64(), self.per_second());
        writeln!(
            f,
            "{} attempts from {} processes in {seconds:.0} s: {rate:.0} a second",
            self.attempts, self.processes
        )?;
        writeln!(f, "one million would take {:.1} hours", 1_000_000.0 / rate / 3_600.0)?;
        let (granted, refused, again) = (all.granted, all.refused(), all.unanswered);
        writeln!(f, "{granted} requests granted, {refused} refused, {again} tries not answered and made again")?;
        for (what, it) in &self.tally.0 {
            writeln!(
                f,
                "  {what:<20} {:>9} granted {:>9} refused {:>7} again",
                it.granted,
                it.refused(),
                it.unanswered
            )?;
            for (code, times) in &it.refusals {
                writeln!(f, "  {:<30} {times:>19} {code}", "")?;
            }
        }
        writeln!(f, "units moved:")?;
        for (kind, units) in &self.moved {
            writeln!(f, "  {kind:<20} {units:>9}")?;
        }
        writeln!(f, "killed:")?;
        for (process, times) in &self.kills {
            writeln!(f, "  {process:<20} {times:>9} times")?;
        }
        Ok(())
    }
}
