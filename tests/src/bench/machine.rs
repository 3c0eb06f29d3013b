//! What the figures were measured on.

use std::fs::read_to_string;
use std::process::Command;

use serde_json::{Value, json};

use crate::Deployment;

/// The kernel counts processor time in hundredths of a second.
const TICK_US: u64 = 10_000;

/// Machine, versions and commit.
pub fn describe() -> Value {
    let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    json!({
        "cpu": model,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_gib": kib / 1_048_576,
        "kernel": output("uname", &["-sr"]),
        "postgresql": output("psql", &["--version"]),
        "rabbitmq": output("dpkg-query", &["-W", "-f", "${Version}", "rabbitmq-server"]),
        "redis": output("redis-server", &["--version"]),
        "rustc": output("rustc", &["--version"]),
        "commit": output("git", &["rev-parse", "--short=12", "HEAD"]),
        "changed_files": output("git", &["status", "--porcelain"]).lines().count(),
    })
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Memory that processes with this name hold, in MiB.
pub fn resident_mib(name: &str) -> u64 {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let statuses = entries.flatten().filter_map(|entry| read_to_string(entry.path().join("status")).ok());
    let ours = statuses.filter(|status| status.lines().next().is_some_and(|line| line == format!("Name:\t{name}")));
    ours.map(|status| resident(&status)).sum::<u64>() / 1_024
}

/// Memory that a process holds, in KiB; 0 once it has gone.
pub fn resident_kib(process: u32) -> u64 {
    read_to_string(format!("/proc/{process}/status")).map_or(0, |status| resident(&status))
}

fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Whose processor time a request costs.
#[derive(Clone, Copy, Debug)]
pub struct Sides {
    server: u32,
    postmaster: u32,
}

impl Sides {
    /// OnePool in one process, and the PostgreSQL that it uses on this machine.
    pub fn of(deployment: &mut Deployment) -> Self {
        let sql = "SELECT pid::bigint AS number FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        let checkpointer = u32::try_from(deployment.number(sql)).unwrap_or(0);
        let parent = stat(checkpointer).and_then(|fields| fields.get(PARENT)?.parse().ok());
        Self { server: deployment.process("onepool").id(), postmaster: parent.unwrap_or(0) }
    }

    /// Processor time that each side has used so far, in user space and in the kernel, in microseconds.
    pub fn used_us(self) -> [(&'static str, u64); 3] {
        let database = children(self.postmaster).map(used_us).sum::<u64>();
        [("server", used_us(self.server)), ("database", database), ("client", used_us(std::process::id()))]
    }
}

// Counted from the state, which follows the name.
const PARENT: usize = 1;
const TIMES: std::ops::Range<usize> = 11..13;

/// What the kernel says of a process from its state on: the name before it is in brackets and may hold blanks.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect())
}

fn children(parent: u32) -> impl Iterator<Item = u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.filter(move |process| stat(*process).is_some_and(|it| it.get(PARENT) == Some(&parent.to_string())))
}

fn used_us(process: u32) -> u64 {
    let fields = stat(process).unwrap_or_default();
    let times = fields.get(TIMES).unwrap_or_default().iter();
    times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_US
}
