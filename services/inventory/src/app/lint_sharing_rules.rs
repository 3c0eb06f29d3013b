//! Says where a sharing rule, together with all others, promises more than there is. It is a warning: what is enforced when
//! stock is promised does not depend on it.

use std::collections::HashMap;

use kernel::SkuCode;
use store::{Error, Tx};

use crate::domain::promises::{Warning, named_skus, over_100};
use crate::domain::share::{Mode, Rule, Rulebook};
use crate::store::{catalog, promises, shares};

/// What is to be said of a rule, saved or about to be.
pub fn lint_sharing_rule(tx: &mut Tx<'_>, rule: &Rule) -> Result<Vec<Warning>, Error> {
    match rule.mode {
        Mode::Percentage(_) => percentages(tx, rule),
        Mode::Exclusive(_) => {
            let known = shares::get(tx, rule.id.as_str())?;
            let counts_on = known.filter(|known| known.counts_on_as(rule));
            let rule = Rule { count_id: counts_on.map_or(0, |known| known.count_id), ..rule.clone() };
            Ok(promises::over_stock(tx, &rule)?.into_iter().map(Warning::from).collect())
        }
        Mode::Shared | Mode::Quota(_) | Mode::Excluded => Ok(Vec::new()),
    }
}

fn percentages(tx: &mut Tx<'_>, rule: &Rule) -> Result<Vec<Warning>, Error> {
    let mut rules = shares::all(tx)?;
    rules.retain(|known| known.id != rule.id);
    rules.push(rule.clone());
    let book = Rulebook::new(rules);
    let entries = catalog::entries(tx, named_skus(&book))?;
    let categories: HashMap<SkuCode, String> = entries.into_iter().map(|(sku, entry)| (sku, entry.category)).collect();
    Ok(over_100(rule, &book, &categories))
}
