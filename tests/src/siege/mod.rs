//! The siege: crowds of buyers, channels with shares of their own and careless staff want the same few goods at once, by way
//! of two inventory processes, while processes are killed. Afterwards nothing is oversold and every share was kept.

mod attempts;
mod ground;
mod judge;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::task::JoinSet;

pub use self::attempts::Tally;
use crate::{Deployment, Topology};

/// What is killed now and then.
const VICTIMS: [&str; 3] = ["inventory", "order", "product"];

/// How large a siege is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Attempts over all besiegers.
    pub attempts: usize,
    /// Who attempts at the same time.
    pub besiegers: usize,
    /// Attempts between two kills.
    pub kill_every: usize,
    /// What everything random follows from.
    pub seed: u64,
}

/// Lays siege to a deployment of its own, and judges it; panics at the first thing that is not as it must be.
pub async fn lay(size: Size) -> Tally {
    let settings = [
        "log=warn",
        "limits.client_requests_per_second=1000000",
        "limits.client_request_burst=1000000",
        "database.pool_size=6",
    ];
    let mut deployment = Deployment::start(Topology::ProcessPerRole, &settings).await;
    let (second, second_url) = deployment.replica("inventory");
    deployment.ready().await;
    let api = deployment.administrator().await;
    ground::prepare(&deployment, &api).await;
    let doors = [api.clone(), api.via("inventory", &second_url)];
    let left = Arc::new(AtomicUsize::new(size.attempts));
    let mut besiegers = JoinSet::new();
    for number in 0..size.besiegers {
        let besieger = attempts::Besieger::new(&doors, number, size.seed);
        besiegers.spawn(besieger.fight(left.clone()));
    }
    let mut random = StdRng::seed_from_u64(size.seed);
    let mut tally = Tally::default();
    let mut next_kill = size.attempts.saturating_sub(size.kill_every);
    while let Some(done) = next_end(&mut besiegers, Duration::from_millis(50)).await {
        tally += done;
        if left.load(Ordering::Relaxed) <= next_kill {
            next_kill = next_kill.saturating_sub(size.kill_every);
            let victims: Vec<&str> = VICTIMS.into_iter().chain([second.as_str()]).collect();
            let victim = victims.choose(&mut random).copied().unwrap_or("inventory");
            deployment.crash(victim);
            tally.kills += 1;
            // What was killed is not killed again before it has started; the others fight on meanwhile.
            deployment.ready().await;
        }
    }
    deployment.ready().await;
    judge::judge(&deployment, &api).await;
    tally
}

/// The tally of a besieger that ended, or an empty one after a while; none when all have ended.
async fn next_end(besiegers: &mut JoinSet<Tally>, after: Duration) -> Option<Tally> {
    match tokio::time::timeout(after, besiegers.join_next()).await {
        Ok(Some(ended)) => Some(ended.expect("a besieger does not panic")),
        Ok(None) => None,
        Err(_) => Some(Tally::default()),
    }
}
