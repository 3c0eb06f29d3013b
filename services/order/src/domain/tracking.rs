//! Parcels on their way: how their list is corrected, and what carriers report of them.

use contracts::FieldError;
use contracts::events::Parcel;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most parcels of a fulfilment order: a lorry load of single cartons.
pub const MAX_PARCELS: usize = 200;

/// What a carrier reports of a parcel. Reports come late and out of order, so none of them follows from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParcelStatus {
    /// The carrier has it.
    PickedUp,
    /// It is on its way.
    InTransit,
    /// It is on the last van.
    OutForDelivery,
    /// It reached the buyer.
    Delivered,
    /// Nobody took it; it is tried again.
    FailedAttempt,
    /// It goes back to the sender.
    Returning,
}

impl ParcelStatus {
    const ALL: [Self; 6] =
        [Self::PickedUp, Self::InTransit, Self::OutForDelivery, Self::Delivered, Self::FailedAttempt, Self::Returning];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PickedUp => "picked_up",
            Self::InTransit => "in_transit",
            Self::OutForDelivery => "out_for_delivery",
            Self::Delivered => "delivered",
            Self::FailedAttempt => "failed_attempt",
            Self::Returning => "returning",
        }
    }

    /// The status of a stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A report of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The parcel.
    pub tracking_no: String,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub status: ParcelStatus,
    /// The carrier's words.
    pub text: Option<String>,
}

/// A parcel that is added, or takes the place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The parcel as it is.
    pub parcel: Parcel,
    /// The number it was noted under; left out, its own.
    pub replaces: Option<String>,
}

/// The parcels after their correction: one with a known number takes its place, another is added.
pub fn correct(parcels: &[Parcel], corrections: &[Correction]) -> Result<Vec<Parcel>, FieldError> {
    let mut corrected = parcels.to_vec();
    for (index, Correction { parcel, replaces }) in corrections.iter().enumerate() {
        let number = replaces.as_ref().unwrap_or(&parcel.tracking_no);
        let place = corrected.iter().position(|it| it.tracking_no == *number);
        let taken = corrected.iter().position(|it| it.tracking_no == parcel.tracking_no);
        if replaces.is_some() && place.is_none() {
            let detail = format!("there is no parcel {number} here");
            return Err(FieldError { field: format!("parcels[{index}].replaces"), detail });
        }
        if taken.is_some() && taken != place {
            let detail = "is the number of another parcel here".to_owned();
            return Err(FieldError { field: format!("parcels[{index}].tracking_no"), detail });
        }
        match place.and_then(|place| corrected.get_mut(place)) {
            Some(there) => there.clone_from(parcel),
            None => corrected.push(parcel.clone()),
        }
    }
    if corrected.len() > MAX_PARCELS {
        let detail = format!("a fulfilment order has at most {MAX_PARCELS}");
        return Err(FieldError { field: "parcels".to_owned(), detail });
    }
    Ok(corrected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(carrier: &str, tracking_no: &str) -> Parcel {
        Parcel { carrier: carrier.to_owned(), tracking_no: tracking_no.to_owned(), lines: Vec::new() }
    }

    fn correction(carrier: &str, tracking_no: &str, replaces: Option<&str>) -> Correction {
        Correction { parcel: parcel(carrier, tracking_no), replaces: replaces.map(str::to_owned) }
    }

    #[test]
    fn parcels_are_added_corrected_and_renumbered() {
        let before = [parcel("SF", "1"), parcel("SF", "2")];
        let corrections = [correction("YTO", "2", None), correction("SF", "3", None), correction("SF", "9", Some("1"))];
        let after = correct(&before, &corrections).unwrap();
        assert_eq!(after, [parcel("SF", "9"), parcel("YTO", "2"), parcel("SF", "3")]);
    }

    #[test]
    fn a_number_is_one_parcels() {
        let before = [parcel("SF", "1"), parcel("SF", "2")];
        let field = |it| correct(&before, &[it]).unwrap_err().field;
        assert_eq!(field(correction("SF", "2", Some("1"))), "parcels[0].tracking_no");
        assert_eq!(field(correction("SF", "3", Some("7"))), "parcels[0].replaces");
        let many: Vec<_> = (0..MAX_PARCELS).map(|no| correction("SF", &no.to_string(), None)).collect();
        assert_eq!(correct(&[parcel("SF", "x")], &many).unwrap_err().field, "parcels");
    }

    #[test]
    fn texts_read_back() {
        for status in ParcelStatus::ALL {
            assert_eq!(ParcelStatus::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
