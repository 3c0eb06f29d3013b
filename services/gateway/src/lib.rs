//! The edge: channels, clients, tokens.
