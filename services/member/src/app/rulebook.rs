//! The rules in force, read once per batch.

use std::collections::HashMap;

use kernel::ChannelCode;
use serde::de::DeserializeOwned;
use store::{Error, Tx};

use crate::domain::earning::{EarningRule, rule_for};
use crate::domain::tier::TierProgram;
use crate::store::rules::{self, RuleKind, RuleRow};

/// The newest version of every earning rule, and the tier programme in force.
pub struct Rulebook {
    earning: Vec<(i64, EarningRule)>,
    /// The tier programme.
    pub program: TierProgram,
}

impl Rulebook {
    /// Reads the rules.
    pub fn read(tx: &mut Tx<'_>, tier_program: &str) -> Result<Self, Error> {
        let mut earning = Vec::new();
        let mut program = None;
        for row in rules::in_force(tx)? {
            if row.kind == RuleKind::EarningRule.as_str() {
                earning.push((row.rule_id, document(row)?));
            } else if row.code == tier_program {
                program = Some(document(row)?);
            }
        }
        let program = program.ok_or(Error::Broken("the tier programme that the settings name exists"))?;
        Ok(Self { earning, program })
    }

    /// The rule for orders of a channel, and the id of its version.
    pub fn earning_rule(&self, channel: &ChannelCode) -> Option<&(i64, EarningRule)> {
        rule_for(&self.earning, channel, |(_, rule)| rule)
    }

    /// The code of the lowest tier.
    pub fn lowest_tier(&self) -> &str {
        self.program.tiers.first().map_or("", |tier| tier.code.as_str())
    }
}

/// The earning rules of these versions, also those no longer in force.
pub fn earning_rules(tx: &mut Tx<'_>, ids: &[i64]) -> Result<HashMap<i64, EarningRule>, Error> {
    rules::by_id(tx, ids)?.into_iter().map(|row| Ok((row.rule_id, document(row)?))).collect()
}

fn document<T: DeserializeOwned>(row: RuleRow) -> Result<T, Error> {
    Ok(serde_json::from_value(row.document)?)
}
