//! Ships: units leave their location and are no longer promised.

use bus::ConsumeError;
use contracts::events::FulfilmentShipped;
use store::Tx;
use uuid::Uuid;

use super::Draft;
use crate::store::movements::{Movement, MovementKind};
use crate::store::reservations::{self, End};
use crate::store::reserved::{self, OpenLines};
use crate::store::{locks, past};

/// Who moves the units that the order service tells of.
pub const ORDER_SERVICE: &str = "onepool/order";

/// Takes a batch of shipments off the books, each once. A shipment of units that are not promised (yet) is tried again later.
pub fn ship_orders(tx: &mut Tx<'_>, shipments: &[FulfilmentShipped]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let noted: Vec<(String, Uuid)> =
        shipments.iter().map(|it| (it.fulfilment_id.to_string(), it.order_id.uuid())).collect();
    let new = past::note_shipments(tx, &noted)?;
    let shipments: Vec<_> = shipments.iter().filter(|it| new.contains(&it.fulfilment_id.to_string())).collect();
    let owners: Vec<Uuid> = shipments.iter().map(|it| it.order_id.uuid()).collect();
    let mut open = OpenLines::new(reserved::of_owners(tx, &owners)?);
    let mut draft = Draft::new();
    for shipment in shipments {
        for line in &shipment.lines {
            let units = line.quantity.get();
            let place = (shipment.order_id.uuid(), line.line_no, line.sku.to_string(), shipment.location.to_string());
            if open.units(&place) < units {
                return Err(ConsumeError::Retry(format!(
                    "{units} units of {} at {} are not promised to order {}",
                    line.sku, shipment.location, shipment.order_id
                )));
            }
            draft.keep_loaded(shipment.order_id, &shipment.location);
            open.take(&place, units).iter().for_each(|line| draft.ship(line));
            draft.move_units(Movement {
                sku: line.sku.clone(),
                location: shipment.location.clone(),
                kind: MovementKind::Shipment,
                on_hand: units.saturating_neg(),
                quarantined: 0,
                owed: 0,
                reason: "shipped".to_owned(),
                reference: Some(shipment.fulfilment_id.to_string()),
                actor: ORDER_SERVICE.to_owned(),
            });
        }
    }
    draft.write(tx)?;
    reservations::end(tx, &owners, End::Consumed)?;
    Ok(())
}
