//! Every event version has a fixture that still parses, is still written the same way, and may grow.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its own functions"
)]

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use contracts::events::*;
use contracts::{Event, Payload};
use serde_json::{Value, json};

fn of_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn check<P: Payload + Debug + PartialEq>(seen: &mut Vec<String>) {
    let path = of_crate("fixtures").join(format!("{}/v{}.json", P::KIND, P::VERSION));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing: add a fixture", path.display()));
    let payload: P = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", P::KIND));
    let written = serde_json::to_value(&payload).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written, fixture, "{} is written in another shape than published", P::KIND);
    assert!(!payload.subject().is_empty());
    assert_eq!(heard::<P>(fixture), payload, "{} of a newer version is read as another event", P::KIND);
    seen.push(P::KIND.to_owned());
}

/// The payload as a consumer reads it, from a release that knows more fields everywhere.
fn heard<P: Payload>(mut payload: Value) -> P {
    grow(&mut payload);
    let mut event = json!({
        "specversion": "1.0", "id": "01935f00-0000-7000-8000-000000000001", "source": "onepool/test", "type": P::KIND,
        "dataversion": P::VERSION, "subject": "test", "time": "2026-11-11T00:00:00Z",
    });
    grow(&mut event);
    event["data"] = payload;
    let event: Event = serde_json::from_str(&event.to_string()).unwrap();
    event.payload().unwrap_or_else(|error| panic!("{error}"))
}

/// Gives every object in it a field that no release has.
fn grow(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(grow),
        Value::Object(fields) => {
            fields.values_mut().for_each(grow);
            fields.insert("of_a_newer_version".to_owned(), json!({"text": "new", "list": [1]}));
        }
        _ => {}
    }
}

#[test]
fn every_published_event_still_reads_and_writes_the_same() {
    let mut seen = Vec::new();
    check::<ChannelChanged>(&mut seen);
    check::<SkuChanged>(&mut seen);
    check::<ListingChanged>(&mut seen);
    check::<LocationChanged>(&mut seen);
    check::<StockSourced>(&mut seen);
    check::<StockBackordered>(&mut seen);
    check::<StockReleased>(&mut seen);
    check::<StockBetterFound>(&mut seen);
    check::<StockPromisedLong>(&mut seen);
    check::<StockShorted>(&mut seen);
    check::<StockChanged>(&mut seen);
    check::<AvailabilityChanged>(&mut seen);
    check::<ReservationExpired>(&mut seen);
    check::<OrderPlaced>(&mut seen);
    check::<OrderChanged>(&mut seen);
    check::<OrderCancelled>(&mut seen);
    check::<OrderRestated>(&mut seen);
    check::<OrderHeld>(&mut seen);
    check::<OrderReleased>(&mut seen);
    check::<OrderCompleted>(&mut seen);
    check::<FulfilmentOffered>(&mut seen);
    check::<FulfilmentAccepted>(&mut seen);
    check::<FulfilmentRejected>(&mut seen);
    check::<FulfilmentShipped>(&mut seen);
    check::<FulfilmentDelivered>(&mut seen);
    check::<FulfilmentPickupDue>(&mut seen);
    check::<FulfilmentSent>(&mut seen);
    check::<FulfilmentArrived>(&mut seen);
    check::<ReturnReceived>(&mut seen);
    check::<ReturnLapsed>(&mut seen);
    check::<ReturnInspected>(&mut seen);
    check::<RefundIssued>(&mut seen);
    check::<PaymentReceived>(&mut seen);
    check::<PosRecorded>(&mut seen);
    check::<MemberRegistered>(&mut seen);
    check::<IdentityLinked>(&mut seen);
    check::<BuyerIdentified>(&mut seen);
    check::<PosIdentified>(&mut seen);
    check::<PointsChanged>(&mut seen);
    check::<TierChanged>(&mut seen);
    check::<RebateAccrued>(&mut seen);
    check::<RebateReversed>(&mut seen);
    check::<PosRebateAccrued>(&mut seen);
    check::<PosRebateReversed>(&mut seen);
    let folders = fs::read_dir(of_crate("fixtures")).unwrap();
    let mut known: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    known.sort();
    seen.sort();
    assert_eq!(seen, known, "every fixture belongs to an event and every event has one");
}

#[test]
fn optional_parts_that_no_fixture_shows_may_grow_too() {
    let parcel = json!({"carrier": "SF", "tracking_no": "SF1", "lines": [{"line_no": 1, "quantity": 2}]});
    let shipped = json!({
        "fulfilment_id": "01935f00-0000-7000-8000-000000000004", "order_id": "01935f00-0000-7000-8000-000000000001",
        "location": "SH-01", "lines": [], "parcels": [parcel], "shipped_at": "2026-11-11T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(heard::<FulfilmentShipped>(shipped.clone())).unwrap(), shipped);
    let allocation = json!({"line_no": 1, "sku": "TEE-M", "location": "SH-01", "quantity": 1});
    let cancelled = json!({
        "order_id": "01935f00-0000-7000-8000-000000000001", "lines": [], "allocations": [allocation], "whole": true,
        "reason": "buyer", "cancelled_at": "2026-11-11T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(heard::<OrderCancelled>(cancelled.clone())).unwrap(), cancelled);
    let changed = json!({
        "order_id": "01935f00-0000-7000-8000-000000000001", "version": 3, "fields": ["guide", "store"],
        "credited": {"guide": "G-7", "store": "SH-01"}, "changed_at": "2026-11-11T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(heard::<OrderChanged>(changed.clone())).unwrap(), changed);
    let line = json!({
        "line_no": 7, "sku": "TEE-M", "quantity": 2, "list_amount": 9800, "discount_amount": 800, "paid_amount": 9000,
        "freight_amount": 0,
    });
    let totals = json!({"list_amount": 9800, "discount_amount": 800, "freight_amount": 0, "total_amount": 9000});
    let grown = json!({
        "order_id": "01935f00-0000-7000-8000-000000000001", "version": 4, "fields": ["lines"],
        "added": {
            "channel": "tmall", "placed_at": "2026-11-10T16:00:00Z", "currency": "CNY", "lines": [line], "totals": totals,
        },
        "changed_at": "2026-11-11T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(heard::<OrderChanged>(grown.clone())).unwrap(), grown);
    let original =
        json!({"store": "SH-01", "terminal": "T1", "business_date": "2026-11-10", "sequence": 7, "line_no": 2});
    let returned = json!({
        "transaction_id": "01935f00-0000-7000-8000-000000000009", "store": "SH-01", "terminal": "T2",
        "business_date": "2026-11-11", "sequence": 42, "kind": "return", "channel": "pos",
        "occurred_at": "2026-11-11T04:00:00Z", "currency": "CNY", "buyer": {"identities": []}, "total_amount": -4450,
        "lines": [{"line_no": 1, "sku": "TEE-M", "quantity": -1, "list_amount": -4900, "discount_amount": -450,
            "paid_amount": -4450, "disposition": "restock", "original": original}],
    });
    assert_eq!(serde_json::to_value(heard::<PosRecorded>(returned.clone())).unwrap(), returned);
}

#[test]
fn no_type_of_an_event_refuses_unknown_fields() {
    for file in fs::read_dir(of_crate("src/events")).unwrap() {
        let path = file.unwrap().path();
        let strict = fs::read_to_string(&path).unwrap().contains("deny_unknown_fields");
        assert!(!strict, "{}: events only ever expand, only a request is strict", path.display());
    }
}
