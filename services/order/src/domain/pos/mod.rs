//! What tills write: its form, its amounts, its numbers. Whatever a till wrote has happened; the rules here only tell what
//! cannot be understood.

pub mod check;
pub mod digest;
pub mod form;
pub mod numbers;
pub mod receipt;
