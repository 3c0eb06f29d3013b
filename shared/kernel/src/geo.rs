//! Points on the earth and the great-circle distance between them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The mean radius of the earth in metres (IUGG R1).
pub const EARTH_RADIUS_METRES: f64 = 6_371_008.8;

/// A place on the earth in microdegrees (about 11 cm), so that points compare and store exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Degrees", into = "Degrees")]
pub struct GeoPoint {
    latitude_microdegrees: i32,
    longitude_microdegrees: i32,
}

/// A point as it is written in JSON: decimal degrees.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Degrees {
    /// Degrees north, −90 to 90.
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    pub longitude: f64,
}

/// A latitude or longitude outside the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeoError {
    /// Not within ±90.
    #[error("latitude lies between -90 and 90 degrees")]
    Latitude,
    /// Not within ±180.
    #[error("longitude lies between -180 and 180 degrees")]
    Longitude,
}

#[expect(
    clippy::float_arithmetic,
    clippy::as_conversions,
    reason = "the great circle is the one place that needs real numbers"
)]
mod real {
    use super::EARTH_RADIUS_METRES;

    /// Decimal degrees to microdegrees; the caller has checked the range.
    pub fn micro(degrees: f64) -> i32 {
        libm::round(degrees * 1e6) as i32
    }

    pub fn degrees(micro: i32) -> f64 {
        f64::from(micro) / 1e6
    }

    /// The haversine formula (R. W. Sinnott, 1984). `libm` is used instead of the platform's own functions so that
    /// every machine computes the same bits and a stored decision can be recomputed anywhere.
    pub fn haversine_metres(from: (i32, i32), to: (i32, i32)) -> i64 {
        let radians = |micro: i32| degrees(micro).to_radians();
        let (lat1, lat2) = (radians(from.0), radians(to.0));
        let half_lat = libm::sin((lat2 - lat1) / 2.0);
        let half_lon = libm::sin((radians(to.1) - radians(from.1)) / 2.0);
        let h = half_lat * half_lat + libm::cos(lat1) * libm::cos(lat2) * half_lon * half_lon;
        libm::round(2.0 * EARTH_RADIUS_METRES * libm::asin(libm::sqrt(h.min(1.0)))) as i64
    }

    /// The point on the unit sphere: ordering by straight-line distance between such points is ordering by great circle.
    pub fn unit_sphere(point: (i32, i32)) -> [f64; 3] {
        let (lat, lon) = (degrees(point.0).to_radians(), degrees(point.1).to_radians());
        [libm::cos(lat) * libm::cos(lon), libm::cos(lat) * libm::sin(lon), libm::sin(lat)]
    }
}

impl GeoPoint {
    /// A point in decimal degrees.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, GeoError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(GeoError::Latitude);
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(GeoError::Longitude);
        }
        Ok(Self { latitude_microdegrees: real::micro(latitude), longitude_microdegrees: real::micro(longitude) })
    }

    /// A point as it is stored; the database's CHECK keeps the range.
    pub const fn from_microdegrees(latitude: i32, longitude: i32) -> Self {
        Self { latitude_microdegrees: latitude, longitude_microdegrees: longitude }
    }

    /// `(latitude, longitude)` in microdegrees, as it is stored.
    pub const fn microdegrees(self) -> (i32, i32) {
        (self.latitude_microdegrees, self.longitude_microdegrees)
    }

    /// Great-circle distance in whole metres.
    pub fn distance_metres(self, other: Self) -> i64 {
        real::haversine_metres(self.microdegrees(), other.microdegrees())
    }

    /// The point as a unit vector, for a spatial index that has no seam at the date line or the poles.
    pub fn unit_vector(self) -> [f64; 3] {
        real::unit_sphere(self.microdegrees())
    }
}

impl TryFrom<Degrees> for GeoPoint {
    type Error = GeoError;

    fn try_from(degrees: Degrees) -> Result<Self, GeoError> {
        Self::new(degrees.latitude, degrees.longitude)
    }
}

impl From<GeoPoint> for Degrees {
    fn from(point: GeoPoint) -> Self {
        let (latitude, longitude) = point.microdegrees();
        Self { latitude: real::degrees(latitude), longitude: real::degrees(longitude) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shanghai_to_beijing() {
        // People's Square to Tian'anmen: 1,067 km by published great-circle calculators.
        let shanghai = GeoPoint::new(31.2304, 121.4737).unwrap();
        let beijing = GeoPoint::new(39.9042, 116.4074).unwrap();
        assert!((1_066_000..1_069_000).contains(&shanghai.distance_metres(beijing)));
    }

    #[test]
    fn a_degree_of_longitude_shrinks_towards_the_pole() {
        let metres = |lat| GeoPoint::new(lat, 0.0).unwrap().distance_metres(GeoPoint::new(lat, 1.0).unwrap());
        // One degree on the equator is 2πR ÷ 360 = 111,195 m; at 60° north it is half of that.
        assert_eq!(metres(0.0), 111_195);
        assert!((55_590..55_600).contains(&metres(60.0)));
    }

    #[test]
    fn the_date_line_is_no_seam() {
        let west = GeoPoint::new(0.0, 179.5).unwrap();
        let east = GeoPoint::new(0.0, -179.5).unwrap();
        assert_eq!(west.distance_metres(east), 111_195);
    }

    #[test]
    fn places_outside_the_earth_are_refused() {
        assert_eq!(GeoPoint::new(90.1, 0.0), Err(GeoError::Latitude));
        assert_eq!(GeoPoint::new(0.0, f64::NAN), Err(GeoError::Longitude));
    }
}
