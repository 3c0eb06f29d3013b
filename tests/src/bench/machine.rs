//! What the figures were measured on.

use std::fs::read_to_string;
use std::process::Command;

use serde_json::{Value, json};

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
    let pages = |status: String| {
        let is_ours = status.lines().next().is_some_and(|line| line == format!("Name:\t{name}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        is_ours.then(|| line.split_whitespace().next()?.parse::<u64>().ok()).flatten()
    };
    let kib: u64 = entries.flatten().filter_map(|entry| pages(read_to_string(entry.path().join("status")).ok()?)).sum();
    kib / 1_024
}
