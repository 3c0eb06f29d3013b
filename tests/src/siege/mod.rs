//! The siege: crowds of buyers, channels with shares of their own and careless staff want the same few goods at once, from
//! many processes and by way of two inventory processes, while these are killed. Afterwards nothing is oversold, every share
//! was kept, and every unit is where the answers said it went.
//!
//! No outcome is unknown: what a kill left unanswered is asked again under its `Idempotency-Key` until there is an answer,
//! which is that of the first time if it had been done.

mod besieger;
mod buyers;
mod crowd;
mod ground;
mod judge;
mod staff;
mod tally;
mod told;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::task::JoinSet;

use self::crowd::Fought;
pub use self::crowd::{Orders, besiege};
use self::ground::Ground;
pub use self::tally::{Answers, Report, Tally};
use crate::{Deployment, Topology};

/// What is killed now and then, besides the second inventory process.
const VICTIMS: [&str; 3] = ["inventory", "order", "product"];

/// How large a siege is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Attempts over all besiegers.
    pub attempts: usize,
    /// Who attempts at the same time.
    pub besiegers: usize,
    /// Over how many processes they are spread.
    pub processes: usize,
    /// Attempts between two kills.
    pub kill_every: usize,
    /// What everything random follows from.
    pub seed: u64,
}

/// Lays siege to a deployment of its own, and judges it; panics at the first thing that is not as it must be. `program` is
/// the one of `make siege`, of which each crowd is a process.
pub async fn lay(size: Size, program: &Path) -> Report {
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
    let ground = Ground::of(size.attempts);
    let mut told = ground::prepare(&deployment, &api, ground).await;
    let doors = vec![api.hosts().clone(), api.via("inventory", &second_url).hosts().clone()];
    let client = deployment.administrators_credentials();
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(size.attempts));
    let mut crowds = JoinSet::new();
    for number in 0..size.processes {
        let part = |whole: usize| whole / size.processes + usize::from(number < whole % size.processes);
        let orders = Orders {
            doors: doors.clone(),
            client: client.clone(),
            first: number * size.besiegers,
            besiegers: part(size.besiegers).max(1),
            attempts: part(size.attempts),
            seed: size.seed,
        };
        let (program, left) = (program.to_owned(), left.clone());
        crowds.spawn(async move { crowd::send(&program, orders, left).await });
    }
    let (fought, kills) = kill_meanwhile(&mut deployment, &second, size, (crowds, left)).await;
    let lasted = began.elapsed();
    deployment.ready().await;
    told += &fought.told;
    // The first token has run out in a siege that takes longer than a quarter of an hour.
    let api = deployment.administrator().await;
    judge::judge(&deployment, &api, ground, &told).await;
    let Size { attempts, processes, .. } = size;
    Report { attempts, processes, lasted, tally: fought.tally, moved: told.kinds(), kills }
}

/// Kills a process and starts it again each time so many attempts are made, until all crowds have ended; answers what came of
/// them and how often each process was killed.
async fn kill_meanwhile(
    deployment: &mut Deployment,
    second: &str,
    size: Size,
    (mut crowds, left): (JoinSet<Fought>, Arc<AtomicUsize>),
) -> (Fought, BTreeMap<String, usize>) {
    let victims: Vec<&str> = VICTIMS.into_iter().chain([second]).collect();
    let mut random = StdRng::seed_from_u64(size.seed);
    let mut fought = Fought::default();
    let mut kills = BTreeMap::new();
    let mut next_kill = size.attempts.checked_sub(size.kill_every);
    while !crowds.is_empty() {
        if let Ok(Some(ended)) = tokio::time::timeout(Duration::from_millis(50), crowds.join_next()).await {
            let crowd = ended.expect("a crowd does not panic");
            fought.tally += &crowd.tally;
            fought.told += &crowd.told;
        }
        if next_kill.is_some_and(|next_kill| left.load(Ordering::Relaxed) <= next_kill) {
            next_kill = next_kill.and_then(|next_kill| next_kill.checked_sub(size.kill_every));
            let victim = victims.choose(&mut random).copied().unwrap_or("inventory");
            deployment.crash(victim);
            *kills.entry(victim.to_owned()).or_default() += 1;
            // What was killed is not killed again before it has started; the others fight on meanwhile.
            deployment.ready().await;
        }
    }
    (fought, kills)
}
