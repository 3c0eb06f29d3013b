//! What a channel said last of what an order has of it. An order may have been changed here since, so only the difference
//! between two things that the channel says tells what it changed.

use serde::{Deserialize, Serialize};

/// What the channel said; amounts in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Of each line.
    pub lines: Vec<SentLine>,
    /// Of the freight.
    pub freight: i64,
    /// Of the discount on the whole order.
    pub discount: i64,
}

/// What the channel said of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLine {
    /// Its number.
    pub line_no: i32,
    /// Its units.
    pub quantity: i64,
    /// Its own discount.
    pub discount: i64,
    /// Its tax, where that was told as an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<i64>,
}

impl Sent {
    /// What was said of a line; no units of one that the channel never had.
    pub fn line(&self, line_no: i32) -> SentLine {
        let said = self.lines.iter().find(|line| line.line_no == line_no).copied();
        said.unwrap_or(SentLine { line_no, ..SentLine::default() })
    }

    /// The tax of all lines, as far as it was told as amounts.
    pub fn tax(&self) -> i64 {
        self.lines.iter().fold(0, |sum, line| sum.saturating_add(line.tax.unwrap_or_default()))
    }
}
