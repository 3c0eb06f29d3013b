//! Rebuilds when a migration is added: embedding alone would not notice a new folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/rebate");
}
