//! Every event version has a fixture that still parses and is still written the same way.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::fs;
use std::path::Path;

use contracts::Payload;
use contracts::events::*;
use serde_json::Value;

fn check<P: Payload>(seen: &mut Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{}/v{}.json", P::KIND, P::VERSION));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing: add a fixture", path.display()));
    let payload: P = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", P::KIND));
    let written = serde_json::to_value(&payload).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written, fixture, "{} is written in another shape than published", P::KIND);
    assert!(!payload.subject().is_empty());
    seen.push(P::KIND.to_owned());
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
    check::<StockChanged>(&mut seen);
    check::<ReservationExpired>(&mut seen);
    check::<OrderPlaced>(&mut seen);
    check::<OrderCancelled>(&mut seen);
    check::<OrderCompleted>(&mut seen);
    check::<FulfilmentOffered>(&mut seen);
    check::<FulfilmentAccepted>(&mut seen);
    check::<FulfilmentRejected>(&mut seen);
    check::<FulfilmentShipped>(&mut seen);
    check::<FulfilmentDelivered>(&mut seen);
    check::<ReturnReceived>(&mut seen);
    check::<ReturnInspected>(&mut seen);
    check::<RefundIssued>(&mut seen);
    check::<MemberRegistered>(&mut seen);
    check::<IdentityLinked>(&mut seen);
    check::<BuyerIdentified>(&mut seen);
    check::<PointsChanged>(&mut seen);
    check::<TierChanged>(&mut seen);
    check::<RebateAccrued>(&mut seen);
    check::<RebateReversed>(&mut seen);
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap();
    let mut known: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    known.sort();
    seen.sort();
    assert_eq!(seen, known, "every fixture belongs to an event and every event has one");
}
