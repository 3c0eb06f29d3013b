//! `make siege`: crowds, careless staff and kills against the one pool, and the judgement afterwards.

use std::env::current_exe;
use std::io::read_to_string;

use clap::{Parser, Subcommand};
use system_tests::siege::{self, Size};

/// How large a siege is laid.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Attempts over all besiegers.
    #[arg(long, default_value_t = 1_000_000)]
    attempts: usize,
    /// Who attempts at the same time.
    #[arg(long, default_value_t = 48)]
    besiegers: usize,
    /// Over how many processes they are spread.
    #[arg(long, default_value_t = 6)]
    processes: usize,
    /// Attempts between two kills.
    #[arg(long, default_value_t = 20_000)]
    kill_every: usize,
    /// What everything random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What else the program does.
#[derive(Clone, Copy, Debug, Subcommand)]
enum Part {
    /// Be one of the processes that besiege: orders come in on the standard input, what came of them goes out.
    Besiege,
}

#[tokio::main]
async fn main() {
    let Arguments { part, attempts, besiegers, processes, kill_every, seed } = Arguments::parse();
    if matches!(part, Some(Part::Besiege)) {
        let orders = read_to_string(std::io::stdin()).expect("orders come in");
        siege::besiege(serde_json::from_str(&orders).expect("orders that can be read")).await;
        return;
    }
    let program = current_exe().expect("a program has a path");
    let report = siege::lay(Size { attempts, besiegers, processes, kill_every, seed }, &program).await;
    println!("{report}");
    println!(
        "nothing oversold, no deadlock, no drift, every quota and every ring-fence kept, every unit accounted for"
    );
}
