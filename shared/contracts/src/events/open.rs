//! Reads values that are strict in a request as they stand in an event: a field that a newer version added is ignored.

use kernel::{Currency, GeoPoint, Money};
use serde::de::{Deserialize, Deserializer, Error};

#[derive(serde::Deserialize)]
struct OpenMoney {
    amount: i64,
    currency: Currency,
}

#[derive(serde::Deserialize)]
struct OpenPoint {
    latitude: f64,
    longitude: f64,
}

impl OpenPoint {
    fn point<E: Error>(&self) -> Result<GeoPoint, E> {
        GeoPoint::new(self.latitude, self.longitude).map_err(E::custom)
    }
}

/// An amount.
pub fn money<'de, D: Deserializer<'de>>(source: D) -> Result<Money, D::Error> {
    let OpenMoney { amount, currency } = OpenMoney::deserialize(source)?;
    Ok(Money::new(amount, currency))
}

/// A place on the map.
pub fn point<'de, D: Deserializer<'de>>(source: D) -> Result<GeoPoint, D::Error> {
    OpenPoint::deserialize(source)?.point()
}

/// A place on the map that may be left out.
pub fn optional_point<'de, D: Deserializer<'de>>(source: D) -> Result<Option<GeoPoint>, D::Error> {
    Option::<OpenPoint>::deserialize(source)?.map(|it| it.point()).transpose()
}
