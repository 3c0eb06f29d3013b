//! A month of a chain, simulated: channels, stores, tills and returns at random over the real services, while parts die,
//! repeat themselves and fall behind. At its end every order has ended, and every unit and every fen is accounted for.
//!
//! `SEED` and `STEPS` choose another month: `make simulate SEED=7 STEPS=20000`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod channels;
mod desk;
mod judge;
mod returns;
mod stores;
mod tills;
mod town;

use std::env;

use testkit::Faults;
use town::Town;

const FAULTS: Faults = Faults { dies_before: 3, dies_after: 3, twice: 5, slow: 5 };

fn setting(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

async fn month(seed: u64, steps: u64) -> Town {
    let mut town = Town::build(FAULTS, seed).await;
    for _ in 0..steps {
        town.step(steps).await;
    }
    town.close().await;
    town
}

#[actix_web::test]
async fn every_order_ends_and_everything_adds_up() {
    let seed = setting("SEED", 1);
    let steps = setting("STEPS", 400);
    let mut town = month(seed, steps).await;
    let verdict = judge::judge(&mut town).await;
    println!("seed {seed}, {steps} steps: {verdict}\n{:?}", town.world.wrong);
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_run() {
    let (one, two) = (month(7, 120).await, month(7, 120).await);
    assert_eq!(one.diary, two.diary);
    assert_eq!(one.world.wrong, two.world.wrong);
}
