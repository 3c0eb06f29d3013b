//! Processes that are killed in the middle of their work, or asked to stop.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use system_tests::{Deployment, Topology};

use crate::SETTINGS;
use crate::load::{Load, open, the_books_say};

/// Which process is killed when is drawn from this, and the same again in the next run.
const SEED: u64 = 20_261_111;

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_killed_under_load() {
    let mut deployment = Deployment::start(Topology::ProcessPerRole, &SETTINGS).await;
    let shop = open(&deployment).await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut victims = deployment.names();
    victims.shuffle(&mut random);
    let load = Load::start(&shop, 12);
    let mut moment = 2;
    for victim in victims {
        load.reaches(moment).await;
        deployment.crash(&victim);
        deployment.ready().await;
        moment += random.random_range(3..=8);
    }
    let sales = load.ends().await;
    the_books_say(&deployment, &shop, sales).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_process_is_killed_and_stopped_under_load() {
    let mut deployment = Deployment::start(Topology::Embedded, &SETTINGS).await;
    let shop = open(&deployment).await;
    let load = Load::start(&shop, 8);
    load.reaches(6).await;
    // Its database goes on without it, as a crash leaves it.
    deployment.crash("onepool");
    deployment.ready().await;
    load.reaches(24).await;
    let status = deployment.process("onepool").terminate();
    assert!(status.success(), "a stop that was asked for ended with {status}");
    deployment.process("onepool").start();
    deployment.ready().await;
    let sales = load.ends().await;
    the_books_say(&deployment, &shop, sales).await;
}
