//! The order book's commands, one file each: HTTP handlers, consumers and jobs all come through here.

pub mod book;
pub mod caller;
pub mod cancel_order;
pub mod complete_orders;
pub mod identify_buyers;
pub mod move_fulfilment;
pub mod move_return;
pub mod pay_back;
pub mod place_orders;
pub mod pos;
pub mod read_orders;
pub mod recall_orders;
pub mod references;
pub mod refusal;
pub mod request_return;
pub mod settled;
pub mod source_orders;
