//! Crowds: each is a process of its own with many besiegers in it. What it is to do comes in on its standard input, and what
//! came of it goes out on its standard output.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::besieger::Besieger;
use super::tally::Tally;
use super::told::Told;
use crate::Api;
use crate::api::Hosts;

/// How often a crowd says how far it has come: often against the time between two kills.
const SAYS_EVERY: Duration = Duration::from_millis(50);

/// What a crowd is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// The ways in: the same services through different processes.
    pub doors: Vec<Hosts>,
    /// Id and secret of the client that besiegers are.
    pub client: (String, String),
    /// The number of its first besieger; no two crowds have the same.
    pub first: usize,
    /// How many besiegers it has.
    pub besiegers: usize,
    /// How often they attempt, together.
    pub attempts: usize,
    /// What everything random follows from.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Fought {
    /// What was answered.
    pub tally: Tally,
    /// What moved by these answers.
    pub told: Told,
}

/// A line of what a crowd says.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// So many more attempts are begun.
    Tried(usize),
    /// All attempts are made.
    Fought(Box<Fought>),
}

/// Makes all attempts of a crowd, and says so on the standard output.
pub async fn besiege(orders: Orders) {
    let (id, secret) = &orders.client;
    let mut doors = Vec::new();
    for hosts in &orders.doors {
        doors.push(Api::login(Arc::new(hosts.clone()), id, secret).await);
    }
    let left = Arc::new(AtomicUsize::new(orders.attempts));
    let mut besiegers = JoinSet::new();
    for number in orders.first..orders.first + orders.besiegers {
        besiegers.spawn(Besieger::new(&doors, &orders.client, number, orders.seed).fight(left.clone()));
    }
    let mut fought = Fought::default();
    let mut said = orders.attempts;
    loop {
        let ended = tokio::time::timeout(SAYS_EVERY, besiegers.join_next()).await;
        let now = left.load(Ordering::Relaxed);
        if now < said {
            say(&Word::Tried(said - now));
            said = now;
        }
        match ended {
            Ok(Some(one)) => {
                let one = one.expect("a besieger does not panic");
                fought.tally += &one.tally;
                fought.told += &one.told;
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    say(&Word::Fought(Box::new(fought)));
}

fn say(word: &Word) {
    println!("{}", serde_json::to_string(word).expect("a word can be written"));
}

/// Starts a crowd as a process of its own (`program besiege`) and waits until it has made its attempts, each of which is
/// taken off `left`.
pub async fn send(program: &Path, orders: Orders, left: Arc<AtomicUsize>) -> Fought {
    let mut command = Command::new(program);
    command.arg("besiege").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the besiegers' program can be executed");
    let mut input = child.stdin.take().expect("a standard input");
    input.write_all(&serde_json::to_vec(&orders).expect("orders can be written")).await.expect("the crowd listens");
    drop(input);
    let mut lines = BufReader::new(child.stdout.take().expect("a standard output")).lines();
    let mut fought = None;
    while let Some(line) = lines.next_line().await.expect("what a crowd says can be read") {
        match serde_json::from_str(&line).unwrap_or_else(|error| panic!("a crowd said {line}: {error}")) {
            Word::Tried(attempts) => drop(left.fetch_sub(attempts, Ordering::Relaxed)),
            Word::Fought(all) => fought = Some(*all),
        }
    }
    let status = child.wait().await.expect("a crowd ends");
    assert!(status.success(), "a crowd ended with {status}");
    fought.expect("a crowd says what came of it")
}
