//! Pure rules of the catalogue.

pub mod gtin;
pub mod sku;
