//! One order book: intake, fulfilment, returns.
