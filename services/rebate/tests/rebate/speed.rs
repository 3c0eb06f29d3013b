//! Scratch.
use crate::world::*;
use contracts::Payload;
use std::time::Instant;
async fn timed<P: Payload + Sync>(world: &World, payloads: &[P]) {
    let started = Instant::now();
    world.service.hear(payloads).await.unwrap();
    eprint!("{} {:?}  ", P::KIND, started.elapsed());
}
#[tokio::test(flavor = "multi_thread")]
async fn speed() {
    let world = World::new().await;
    for _ in 0..20 {
        let orders: Vec<_> = (0..500).map(|_| order(&[(1, 10_000), (2, 5_000)])).collect();
        timed(&world, &orders).await;
        timed(&world, &orders.iter().map(|o| identified(o, Some(kernel::id::MemberId::at(at(PLACED_AT))))).collect::<Vec<_>>()).await;
        timed(&world, &orders.iter().take(50).map(|o| refund(o, &[(2, 1)])).collect::<Vec<_>>()).await;
        timed(&world, &orders.iter().map(completed).collect::<Vec<_>>()).await;
        eprintln!();
    }
}
