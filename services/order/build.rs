//! Rebuilds the crate when a migration is added: embedding alone does not notice a new folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/order");
}
