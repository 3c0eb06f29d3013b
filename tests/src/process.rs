//! One running `onepool`: started, killed, asked to stop, and never left behind.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Lines of a log that a failing test shows: enough for the error and what led to it.
const SHOWN_LINES: usize = 60;
/// A stop that takes longer than the drain time of a deployment is a hang.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The setting that names a process's port.
pub const PORT: &str = "ONEPOOL__HTTP__PORT";

/// The binary under test: the one cargo built beside the test programs.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test program has a path");
    let profile = test.ancestors().find(|dir| dir.join("onepool").is_file());
    let Some(profile) = profile else {
        panic!(
            "there is no `onepool` beside {}: build it with `cargo build -p onepool` (`make test` does)",
            test.display()
        );
    };
    profile.join("onepool")
}

/// A port of the loopback address that nobody listens on, below the range that outgoing connections use.
pub fn free_port() -> u16 {
    const LOWEST: u16 = 10_000;
    const COUNT: u16 = 9_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("less than COUNT");
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = LOWEST + (start + step % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {LOWEST} and {}", LOWEST + COUNT);
}

/// A name that nothing else has.
pub fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A process of the deployment under test, and how to start it again.
#[derive(Debug)]
pub struct Process {
    /// What it is called in messages: its role.
    pub name: String,
    arguments: Vec<String>,
    settings: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A process that is not started yet; it logs into `directory`.
    pub fn new(name: &str, arguments: &[&str], settings: Vec<(String, String)>, directory: &Path) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let log = directory.join(format!("{name}.log"));
        Self { name: name.to_owned(), arguments, settings, log, child: None }
    }

    /// Another process like this one, with a name, a port and a data directory of its own in `directory`.
    pub fn sibling(&self, name: &str, port: u16, directory: &Path) -> Self {
        let data = directory.join(name);
        std::fs::create_dir_all(&data).expect("the scratch directory can be written to");
        let mut settings = self.settings.clone();
        for (key, value) in &mut settings {
            match key.as_str() {
                PORT => *value = port.to_string(),
                "ONEPOOL__DATA_DIR" => *value = data.display().to_string(),
                _ => {}
            }
        }
        let log = directory.join(format!("{name}.log"));
        Self { name: name.to_owned(), arguments: self.arguments.clone(), settings, log, child: None }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let port = self.settings.iter().find(|(key, _)| key == PORT).map(|(_, port)| port.as_str());
        format!("http://127.0.0.1:{}", port.expect("a process has a port"))
    }

    /// Starts it; a second start appends to the same log.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let mut command = self.command();
        command.args(&self.arguments).stdout(self.log_file()).stderr(self.log_file());
        self.child = Some(command.spawn().expect("the binary can be executed"));
    }

    /// Runs one command of the binary with this process's settings, and answers how it ended and what it printed.
    pub fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let mut command = self.command();
        let output = command.args(arguments).output().expect("the binary can be executed");
        let text = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&text).into_owned())
    }

    /// Nothing of the caller's environment gets in, so that every machine tests the same.
    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command
    }

    fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.log).expect("the scratch directory can be written to")
    }

    /// Whether it was started and neither killed nor stopped since.
    pub const fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child can be waited for"))
    }

    /// Ends it as a crash would: at once, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone_already = child.kill();
            let _status = child.wait();
        }
    }

    /// Asks it to stop, as Kubernetes does, and answers how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            if let Some(status) = self.ended() {
                self.child = None;
                return status;
            }
            assert!(Instant::now() < deadline, "{} did not stop in time:\n{}", self.name, self.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().map(Child::id).expect("it runs")
    }

    /// Sends a signal by name.
    pub fn signal(&self, signal: &str) {
        send(signal, self.id());
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        format!("--- {} ({})\n{}", self.name, self.log.display(), lines[from..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process by its id.
pub fn send(signal: &str, process: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status();
    assert!(status.expect("kill is installed").success(), "SIG{signal} could not be sent to {process}");
}
