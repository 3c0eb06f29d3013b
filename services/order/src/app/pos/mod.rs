//! The commands of tills: what they wrote comes into the book, and their days are closed.

pub mod close_day;
pub mod record_transactions;
mod void_transactions;
