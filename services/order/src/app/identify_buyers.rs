//! Notes which member bought.

use ::store::{Error, Tx};
use contracts::events::BuyerIdentified;
use uuid::Uuid;

use crate::store::members;

/// Notes the members of orders, each order named once; anonymous sales have none.
pub fn identify_buyers(tx: &mut Tx<'_>, answers: &[BuyerIdentified]) -> Result<(), Error> {
    let bought: Vec<(Uuid, Uuid)> = answers
        .iter()
        .filter_map(|answer| answer.member_id.map(|member| (answer.order_id.uuid(), member.uuid())))
        .collect();
    members::set(tx, &bought)
}
