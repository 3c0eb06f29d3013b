//! The OnePool binary.
fn main() {}
