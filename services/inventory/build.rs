//! Rebuilds when a migration is added, which Cargo does not see by itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/inventory");
}
