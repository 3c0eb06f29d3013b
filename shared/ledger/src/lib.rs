//! The double-entry engine that points and rebates share.
