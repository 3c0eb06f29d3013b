//! The benchmark: what OnePool does per second on this machine, measured through its API, with the proof after each run.

pub mod book;
pub mod connection;
pub mod import;
pub mod lag;
pub mod limit;
pub mod load;
pub mod machine;
pub mod orders;
pub mod plans;
pub mod proof;
pub mod report;
pub mod shares;
pub mod size;
pub mod stock;
pub mod tills;
pub mod what_if;
