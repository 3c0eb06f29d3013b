//! The `[order]` section; `defaults.toml` is its manual.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use kernel::Timestamp;
use runtime::settings::{Faults, Settings};
use serde::Deserialize;

use crate::domain::give_back::FreightRefund;
use crate::domain::state::OrderStatus;

/// The defaults, commented.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Longer than this nobody wants to wait for an order's answer on top of its transaction.
const MAX_REST_MS: u32 = 1_000;

/// `[order]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderSettings {
    /// How long after its delivery an order is final.
    pub return_window_seconds: u32,
    /// When the freight goes back.
    pub freight_refund: FreightRefund,
    /// When it goes back for what comes back by the seller's fault, if that is more.
    pub freight_refund_at_fault: FreightRefund,
    /// The most orders one transaction takes into the book.
    pub intake_batch: u32,
    /// How many such transactions run at once.
    pub intake_lanes: u32,
    /// How long orders are gathered after a transaction with several of them.
    pub intake_rest_ms: u32,
    /// How many orders may wait for their transaction.
    pub intake_queue: u32,
    /// How long a buyer has to pay in advance, where the channel says nothing; 0: as long as they like.
    pub unpaid_expires_after_seconds: u32,
    /// How long the goods of an approved return have to come; 0: as long as they like.
    pub return_expires_after_seconds: u32,
    /// How long a buyer has to pay what an exchange costs more than what came back; 0: as long as they like.
    pub exchange_unpaid_expires_after_seconds: u32,
    /// How long locations and buyers have.
    pub fulfilment: FulfilmentSettings,
    /// How long orders may stay where they are.
    pub longest_stay: LongestStay,
}

/// `[order.longest_stay]`: in seconds, by state; 0: as long as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct LongestStay {
    pub held: u32,
    pub sourcing: u32,
    pub sourced: u32,
    pub backordered: u32,
    pub unfillable: u32,
    pub fulfilling: u32,
    pub shipped: u32,
}

impl LongestStay {
    /// How long an order may stay in a state; 0: as long as it likes.
    pub const fn seconds(&self, status: OrderStatus) -> u32 {
        match status {
            OrderStatus::Held => self.held,
            OrderStatus::Sourcing => self.sourcing,
            OrderStatus::Sourced => self.sourced,
            OrderStatus::Backordered => self.backordered,
            OrderStatus::Unfillable => self.unfillable,
            OrderStatus::Fulfilling => self.fulfilling,
            OrderStatus::Shipped => self.shipped,
            OrderStatus::Received | OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled => 0,
        }
    }

    /// The states that have a longest stay, each with until when an order must have come into it to have stayed too long now.
    pub fn bounds(&self, now: Timestamp) -> Vec<(OrderStatus, Timestamp)> {
        let bound = |status: &OrderStatus| {
            let seconds = i64::from(self.seconds(*status));
            (seconds > 0).then(|| (*status, now.plus_seconds(seconds.saturating_neg())))
        };
        OrderStatus::ALL.iter().filter_map(bound).collect()
    }
}

/// `[order.fulfilment]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FulfilmentSettings {
    /// How long a location has to answer an offer; 0: as long as it likes.
    pub offer_lapses_after_seconds: u32,
    /// How long a buyer has to collect; 0: as long as they like.
    pub pickup_lapses_after_seconds: u32,
    /// How long before that they are reminded; 0: not at all.
    pub pickup_reminder_before_seconds: u32,
    /// How long a location has from taking a fulfilment order on until it leaves, or waits at the counter; 0: as long as
    /// it likes.
    pub overdue_after_seconds: u32,
}

impl FulfilmentSettings {
    /// What was taken on until then is overdue now.
    pub fn overdue_since(&self, now: Timestamp) -> Timestamp {
        match i64::from(self.overdue_after_seconds) {
            0 => Timestamp::EPOCH,
            // A second more: what takes exactly as long as it may is in time.
            seconds => now.plus_seconds(seconds.saturating_neg().saturating_sub(1)),
        }
    }

    /// Until when goods that wait from now on may be collected, and when the buyer is to be reminded.
    pub fn collecting(&self, now: Timestamp) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let (after, before) = (self.pickup_lapses_after_seconds, self.pickup_reminder_before_seconds);
        if after == 0 {
            return (None, None);
        }
        let remind = (before > 0).then(|| now.plus_seconds(after.saturating_sub(before).into()).utc());
        (Some(now.plus_seconds(after.into()).utc()), remind)
    }
}

/// How money and time work for the changes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after its delivery an order is final.
    pub return_window_seconds: i64,
    /// When the freight goes back.
    pub freight_refund: FreightRefund,
    /// When it goes back for what comes back by the seller's fault, if that is more.
    pub freight_refund_at_fault: FreightRefund,
    /// How long a buyer has to pay in advance, where the channel says nothing; 0: as long as they like.
    pub unpaid_expires_after_seconds: u32,
    /// How long the goods of an approved return have to come; 0: as long as they like.
    pub return_expires_after_seconds: u32,
    /// How long a buyer has to pay what an exchange costs more than what came back; 0: as long as they like.
    pub exchange_unpaid_expires_after_seconds: u32,
    /// How long locations and buyers have.
    pub fulfilment: FulfilmentSettings,
    /// How long orders may stay where they are.
    pub longest_stay: LongestStay,
    /// The retailer's time zone: where a day begins.
    pub zone: Tz,
}

impl OrderSettings {
    /// The section, with everything checked that no type can say.
    pub fn read(settings: &Settings) -> Result<Self, Faults> {
        let section: Self = settings.section("order")?;
        let mut faults = Faults::default();
        let sizes = [
            ("intake_batch", section.intake_batch),
            ("intake_lanes", section.intake_lanes),
            ("intake_queue", section.intake_queue),
        ];
        for (key, _) in sizes.into_iter().filter(|(_, size)| *size == 0) {
            faults.push(format!("order.{key}"), "", "is more than 0");
        }
        if section.intake_rest_ms > MAX_REST_MS {
            faults.push("order.intake_rest_ms", "", format!("is at most {MAX_REST_MS}"));
        }
        faults.into_result(Some(section))
    }

    /// The rules in it.
    pub fn rules(&self, zone: Tz) -> Rules {
        Rules {
            return_window_seconds: self.return_window_seconds.into(),
            freight_refund: self.freight_refund,
            freight_refund_at_fault: self.freight_refund_at_fault,
            unpaid_expires_after_seconds: self.unpaid_expires_after_seconds,
            return_expires_after_seconds: self.return_expires_after_seconds,
            exchange_unpaid_expires_after_seconds: self.exchange_unpaid_expires_after_seconds,
            fulfilment: self.fulfilment,
            longest_stay: self.longest_stay,
            zone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_faults_are_told_at_once() {
        let read = |variables: &[(&str, &str)]| {
            let variables =
                variables.iter().map(|(name, value)| (format!("ONEPOOL__ORDER__{name}"), (*value).to_owned()));
            OrderSettings::read(&Settings::load(&[DEFAULTS], None, variables).unwrap())
        };
        let fulfilment = FulfilmentSettings {
            offer_lapses_after_seconds: 24 * 3600,
            pickup_lapses_after_seconds: 7 * 24 * 3600,
            pickup_reminder_before_seconds: 24 * 3600,
            overdue_after_seconds: 48 * 3600,
        };
        let days = 24 * 3600;
        let longest_stay = LongestStay {
            held: days,
            sourcing: 900,
            sourced: 2 * days,
            backordered: 30 * days,
            unfillable: days,
            fulfilling: 7 * days,
            shipped: 15 * days,
        };
        let return_window_seconds = 7 * 24 * 3600;
        let rules = Rules {
            return_window_seconds,
            freight_refund: FreightRefund::LastUnit,
            freight_refund_at_fault: FreightRefund::Proportional,
            unpaid_expires_after_seconds: 1800,
            return_expires_after_seconds: 14 * 24 * 3600,
            exchange_unpaid_expires_after_seconds: 7 * 24 * 3600,
            fulfilment,
            longest_stay,
            zone: Tz::UTC,
        };
        assert_eq!(read(&[]).unwrap().rules(Tz::UTC), rules);
        let never = read(&[("FULFILMENT__OFFER_LAPSES_AFTER_SECONDS", "0")]).unwrap();
        assert_eq!(never.fulfilment.offer_lapses_after_seconds, 0);
        assert_eq!(read(&[("RETURN_WINDOW_SECONDS", "0")]).unwrap().return_window_seconds, 0);
        let wrong = read(&[("INTAKE_BATCH", "0"), ("INTAKE_LANES", "0"), ("INTAKE_REST_MS", "1001")]).unwrap_err();
        let keys: Vec<&str> = wrong.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["order.intake_batch", "order.intake_lanes", "order.intake_rest_ms"]);
    }
}
