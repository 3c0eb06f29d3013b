//! The pure rules of rebates: who is credited, how much they earn, what a return takes back.

pub mod accrual;
pub mod attribution;
pub mod party;
pub mod period;
pub mod policy;
pub mod reversal;
pub mod sale;
