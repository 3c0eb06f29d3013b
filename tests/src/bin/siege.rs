//! `make siege`: crowds, careless staff and kills against the one pool, and the judgement afterwards.

use std::time::Instant;

use clap::Parser;
use system_tests::siege::{self, Size};

/// How large a siege is laid.
#[derive(Debug, Parser)]
struct Arguments {
    /// Attempts over all besiegers.
    #[arg(long, default_value_t = 1_000_000)]
    attempts: usize,
    /// Who attempts at the same time.
    #[arg(long, default_value_t = 48)]
    besiegers: usize,
    /// Attempts between two kills.
    #[arg(long, default_value_t = 20_000)]
    kill_every: usize,
    /// What everything random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() {
    let Arguments { attempts, besiegers, kill_every, seed } = Arguments::parse();
    let began = Instant::now();
    let tally = siege::lay(Size { attempts, besiegers, kill_every, seed }).await;
    println!("{attempts} attempts in {:.0} s: {tally:?}", began.elapsed().as_secs_f64());
    println!("nothing oversold, no deadlock, no drift, every quota and every ring-fence kept");
}
