//! Servers that belong to one test alone, so that it can restart them; `tests/servers` starts and ends them.

use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::process::{send, unique};
use crate::wait::until;

/// Redis comes with so many databases.
const REDIS_DATABASES: u8 = 16;

/// A database of the test run's Redis that no other deployment of this test program uses at the moment, emptied.
pub fn empty_redis() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % REDIS_DATABASES;
    let server = testkit::redis_url();
    let address = server.trim_start_matches("redis://").trim_end_matches('/');
    let mut link = TcpStream::connect(address).expect("the Redis of this test run is reachable");
    write!(link, "SELECT {number}\r\nFLUSHDB\r\nQUIT\r\n").expect("Redis reads");
    let mut answer = String::new();
    link.read_to_string(&mut answer).expect("Redis answers");
    assert_eq!(answer.matches("+OK").count(), 3, "Redis answered {answer}");
    format!("redis://{address}/{number}")
}

/// PostgreSQL, RabbitMQ and Redis of one test.
#[derive(Debug)]
pub struct Servers {
    /// The process that ends them when it ends.
    keeper: Child,
    directory: PathBuf,
    /// The RabbitMQ that was started in place of a crashed one.
    rabbitmq: Option<Child>,
    /// `postgres://…`
    pub postgres: String,
    /// `amqp://…`
    pub amqp: String,
    /// `http://…` of RabbitMQ's management API.
    pub amqp_admin: String,
    /// `redis://…`
    pub redis: String,
}

impl Servers {
    /// Starts all three, so that PostgreSQL keeps what it has committed when it crashes.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers");
        let said = std::env::temp_dir().join(format!("onepool-said-{}", unique()));
        let mut command = Command::new(script);
        // What runs between start and end prints the addresses, then waits to be ended.
        command.args(["run", "sh", "-c", "env; echo STARTED; exec sleep infinity"]).stdin(Stdio::null());
        command.env("DURABLE", "1");
        command.stdout(Stdio::piped()).stderr(File::create(&said).expect("the temporary directory can be written to"));
        let mut keeper = command.spawn().expect("tests/servers can be run");
        let lines = BufReader::new(keeper.stdout.take().expect("a piped output")).lines();
        let told: Vec<String> = lines.map_while(Result::ok).take_while(|line| line != "STARTED").collect();
        let said = (read_to_string(&said).expect("what it said"), std::fs::remove_file(&said)).0;
        let value = |name: &str| {
            let found = told.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("tests/servers did not tell {name}:\n{said}")).to_owned()
        };
        let directory = said.split_once(" servers in ").and_then(|(_, rest)| rest.split_whitespace().next());
        Self {
            postgres: value("ONEPOOL_TEST_POSTGRES"),
            amqp: value("ONEPOOL_TEST_AMQP"),
            amqp_admin: value("ONEPOOL_TEST_AMQP_ADMIN"),
            redis: value("ONEPOOL_TEST_REDIS"),
            directory: PathBuf::from(directory.expect("tests/servers says where the servers are")),
            rabbitmq: None,
            keeper,
        }
    }

    /// Breaks PostgreSQL off, open transactions and all, and starts it again; it recovers from its log.
    pub async fn restart_postgres(&self) {
        let data = self.directory.join("postgres/data");
        let process = self.noted("postgres/data/postmaster.pid");
        let programs = program_of(process).parent().expect("a program lies in a directory").to_owned();
        end("QUIT", process).await;
        let mut command = Command::new(programs.join("pg_ctl"));
        command.arg("-D").arg(&data).arg("-l").arg(self.directory.join("postgres/log"));
        command.args(["-w", "-t", "60", "start"]).current_dir(&data).stdout(Stdio::null());
        // PostgreSQL refuses to run as root: it runs as whoever owns its data.
        let (ours, theirs) = (owner(Path::new("/proc/self")), owner(&data));
        if ours != theirs {
            command.uid(theirs.0).gid(theirs.1);
        }
        assert!(command.status().expect("pg_ctl can be run").success(), "PostgreSQL did not start again");
    }

    /// Crashes RabbitMQ and starts it again.
    pub async fn restart_rabbitmq(&mut self) {
        let directory = self.directory.join("rabbitmq");
        let process = self.noted("rabbitmq/beam.pid");
        let mut command = Command::new(program_of(process));
        command.args(texts(process, "cmdline").skip(1)).env_clear().current_dir(&directory).process_group(0);
        for entry in texts(process, "environ") {
            if let Some((key, value)) = entry.split_once('=') {
                command.env(key, value);
            }
        }
        end("KILL", process).await;
        let log = || File::create(directory.join("again.log")).expect("the servers' directory can be written to");
        let spawned = command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn();
        let again = self.rabbitmq.insert(spawned.expect("RabbitMQ can be started"));
        std::fs::write(directory.join("beam.pid"), format!("{}\n", again.id())).expect("a note of its id");
        let address = self.amqp.rsplit_once('@').expect("amqp://user:password@host:port").1;
        until("RabbitMQ answers the protocol's greeting", async || {
            greets(address).ok_or_else(|| read_to_string(directory.join("again.log")).unwrap_or_default())
        })
        .await;
    }

    /// Crashes Redis and starts it again, empty.
    pub async fn restart_redis(&self) {
        let directory = self.directory.join("redis");
        end("KILL", self.noted("redis/pid")).await;
        let address = self.redis.trim_start_matches("redis://");
        let (host, port) = address.rsplit_once(':').expect("redis://host:port");
        let mut command = Command::new("redis-server");
        command.args(["--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--daemonize", "yes"]);
        command.arg("--dir").arg(&directory).arg("--pidfile").arg(directory.join("pid"));
        command.arg("--logfile").arg(directory.join("log")).stdout(Stdio::null());
        assert!(command.status().expect("redis-server can be run").success(), "Redis did not start again");
        until("Redis is back", async || TcpStream::connect(address).map(drop)).await;
    }

    /// The process id a server noted.
    fn noted(&self, file: &str) -> u32 {
        let text = read_to_string(self.directory.join(file)).expect("a server notes its process id");
        text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process id")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        send("TERM", self.keeper.id());
        let _status = self.keeper.wait();
        // What the keeper has ended here too is waited for by whoever started it.
        let _status = self.rabbitmq.as_mut().map(Child::wait);
    }
}

fn program_of(process: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{process}/exe")).expect("a process of our own")
}

/// The arguments or the environment that a process was started with.
fn texts(process: u32, what: &str) -> impl Iterator<Item = String> {
    let bytes = std::fs::read(format!("/proc/{process}/{what}")).expect("a process of our own");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Each ends with a zero byte, so that nothing follows the last one.
    let parts: Vec<String> = text.trim_end_matches('\0').split('\0').map(ToOwned::to_owned).collect();
    parts.into_iter()
}

/// Sends the signal, and waits until the process is gone.
async fn end(signal: &str, process: u32) {
    send(signal, process);
    let alive = || {
        let stat = read_to_string(format!("/proc/{process}/stat")).ok()?;
        // One that nobody waits for stays as a zombie; its state follows its name.
        stat.rsplit_once(") ").map(|(_, state)| !state.starts_with('Z'))
    };
    until(
        &format!("process {process} is gone"),
        async || {
            if alive() == Some(true) { Err("it is there") } else { Ok(()) }
        },
    )
    .await;
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = std::fs::metadata(path).expect("it is there");
    (metadata.uid(), metadata.gid())
}

/// Whether RabbitMQ answers the greeting of AMQP 0-9-1 with the begin of its own.
fn greets(address: &str) -> Option<()> {
    let mut link = TcpStream::connect(address).ok()?;
    link.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    link.write_all(b"AMQP\0\0\x09\x01").ok()?;
    let mut first = [0];
    link.read_exact(&mut first).ok()?;
    (first[0] == 1).then_some(())
}
