//! The embedded database: a private PostgreSQL cluster in the data directory, run from the installed binaries.
//!
//! It listens on the loopback address only, with a password of its own. It outlives a killed OnePool; the next start
//! finds it by its pid file and goes on with it. PostgreSQL refuses to run as root, so as root it runs as the account
//! `postgres`, and where that account cannot reach the data directory the cluster lies below /var/lib/onepool.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, io};

use crate::Error;

/// The account that runs the cluster when OnePool runs as root; Debian's packages bring it.
const ACCOUNT: &str = "postgres";
/// Where clusters lie whose data directory that account cannot reach.
const FALLBACK: &str = "/var/lib/onepool";
/// The oldest PostgreSQL that OnePool is tested with.
const OLDEST_VERSION: u32 = 15;

/// A running private cluster.
pub struct Cluster {
    bin: PathBuf,
    home: PathBuf,
    account: Option<(u32, u32)>,
    url: String,
    was_running: bool,
}

/// Where the programs and the data are, and whose they are.
struct Place {
    bin: PathBuf,
    home: PathBuf,
    account: Option<(u32, u32)>,
}

impl Cluster {
    /// Starts the cluster in `data_dir`, creating it if it is not there, or goes on with one that runs already.
    ///
    /// `binaries` is the directory of the programs, empty for the newest installed; `port` 0 takes any free one.
    pub fn start(data_dir: &Path, binaries: &Path, port: u16) -> Result<Self, Error> {
        let place = Place::find(data_dir, binaries)?;
        if !place.data().join("PG_VERSION").exists() {
            place.create()?;
        }
        let running = place.running_port()?;
        let port = match running {
            Some(port) => port,
            None => place.launch(port)?,
        };
        let password = read(&place.home.join("password"))?;
        let url = format!("postgres://onepool:{}@127.0.0.1:{port}/postgres", password.trim());
        let was_running = running.is_some();
        Ok(Self { bin: place.bin, home: place.home, account: place.account, url, was_running })
    }

    /// How to connect as the cluster's owner.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it ran already, so that another process may be using it.
    pub const fn was_running(&self) -> bool {
        self.was_running
    }

    /// Stops the cluster; open transactions are rolled back.
    pub fn stop(&self) -> Result<(), Error> {
        let place = Place { bin: self.bin.clone(), home: self.home.clone(), account: self.account };
        place.run("pg_ctl", |command| {
            command.arg("-D").arg(place.data()).args(["-m", "fast", "-w", "stop"]);
        })
    }
}

impl Place {
    fn find(data_dir: &Path, binaries: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(|error| at(data_dir, &error))?;
        let data_dir = data_dir.canonicalize().map_err(|error| at(data_dir, &error))?;
        let bin = if binaries.as_os_str().is_empty() { installed()? } else { binaries.to_owned() };
        let root = fs::metadata("/proc/self").map_err(|error| at(Path::new("/proc/self"), &error))?.uid() == 0;
        if !root {
            let home = data_dir.join("postgres");
            private_dir(&home, None)?;
            return Ok(Self { bin, home, account: None });
        }
        let account = account()?;
        let home = if reachable(&data_dir) { data_dir.join("postgres") } else { fallback(&data_dir)? };
        private_dir(&home, Some(account))?;
        Ok(Self { bin, home, account: Some(account) })
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn create(&self) -> Result<(), Error> {
        // What an interrupted creation left behind is no cluster yet, so nothing is lost with it.
        if self.data().exists() {
            fs::remove_dir_all(self.data()).map_err(|error| at(&self.data(), &error))?;
        }
        let password = self.home.join("password");
        let secret =
            format!("{}{}", uuid::Uuid::from_bytes(random()?).simple(), uuid::Uuid::from_bytes(random()?).simple());
        fs::write(&password, secret).map_err(|error| at(&password, &error))?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).map_err(|error| at(&password, &error))?;
        self.give(&password)?;
        let data = self.data();
        self.run("initdb", |command| {
            command.arg("-D").arg(&data).args([
                "-U",
                "onepool",
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ]);
            command.arg("--no-instructions").arg(format!("--pwfile={}", password.display()));
        })
    }

    fn launch(&self, port: u16) -> Result<u16, Error> {
        let port = if port == 0 { free_port()? } else { port };
        let log = self.home.join("log");
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c max_connections=200 \
             -c shared_buffers=256MB -c max_wal_size=2GB -c wal_compression=on -c checkpoint_timeout=15min \
             -c logging_collector=off -c timezone=UTC"
        );
        self.run("pg_ctl", |command| {
            command.arg("-D").arg(self.data()).arg("-l").arg(&log).args(["-w", "-t", "60", "-o", &options, "start"]);
        })?;
        self.running_port()?.ok_or(Error::Broken("a started cluster has a pid file"))
    }

    /// The port of the cluster, if it runs: the fourth line of its pid file.
    fn running_port(&self) -> Result<Option<u16>, Error> {
        let status = self.output("pg_ctl", |command| {
            command.arg("-D").arg(self.data()).arg("status");
        })?;
        if !status.status.success() {
            return Ok(None);
        }
        let pid_file = read(&self.data().join("postmaster.pid"))?;
        Ok(pid_file.lines().nth(3).and_then(|port| port.trim().parse().ok()))
    }

    fn give(&self, path: &Path) -> Result<(), Error> {
        self.account.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)).map_err(|error| at(path, &error)))
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<(), Error> {
        let output = self.output(program, arguments)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let log = self.home.join("log");
        Err(Error::Unavailable(format!("{program} failed: {} (see {})", said.trim(), log.display())))
    }

    fn output(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<Output, Error> {
        let path = self.bin.join(program);
        let mut command = Command::new(&path);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        arguments(&mut command);
        // The daemon inherits what it is given: pipes would stay open for as long as it lives.
        let errors = self.home.join("errors");
        let file = fs::File::create(&errors).map_err(|error| at(&errors, &error))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).current_dir(&self.home).process_group(0);
        let status = command.status().map_err(|error| at(&path, &error))?;
        Ok(Output { status, stdout: Vec::new(), stderr: fs::read(&errors).unwrap_or_default() })
    }
}

/// The newest installed PostgreSQL, where distributions and Homebrew put it, or else on the PATH.
fn installed() -> Result<PathBuf, Error> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for pattern in ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = fs::read_dir(pattern) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.trim_start_matches("postgresql@").parse::<u32>();
            if let Ok(version) = version
                && entry.path().join("bin/initdb").exists()
            {
                found.push((version, entry.path().join("bin")));
            }
        }
    }
    if let Some((_, bin)) = found.into_iter().filter(|(version, _)| *version >= OLDEST_VERSION).max() {
        return Ok(bin);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|dir| dir.join("initdb").exists()).ok_or_else(|| {
        Error::Unavailable(format!(
            "no PostgreSQL {OLDEST_VERSION} or newer is installed; install it (Debian: apt-get install postgresql) or set \
             database.url to a server of your own"
        ))
    })
}

/// User and group id of the account that runs the cluster in root's place.
fn account() -> Result<(u32, u32), Error> {
    let passwd = read(Path::new("/etc/passwd"))?;
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f.first() == Some(&ACCOUNT));
    let id = |index: usize| fields.as_ref().and_then(|f| f.get(index)).and_then(|text| text.parse().ok());
    id(2).zip(id(3)).ok_or_else(|| {
        Error::Unavailable(format!("PostgreSQL does not run as root, and there is no account {ACCOUNT} to run it as"))
    })
}

/// Whether an account other than root can walk to the directory.
fn reachable(dir: &Path) -> bool {
    dir.ancestors().all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

/// A place below /var/lib for a data directory the account cannot reach; its name is told from the directory's path.
fn fallback(data_dir: &Path) -> Result<PathBuf, Error> {
    let name = data_dir.to_string_lossy().trim_matches('/').replace('/', "-");
    let base = Path::new(FALLBACK);
    fs::create_dir_all(base).map_err(|error| at(base, &error))?;
    fs::set_permissions(base, fs::Permissions::from_mode(0o755)).map_err(|error| at(base, &error))?;
    let home = base.join(name);
    let pointer = data_dir.join("postgres.location");
    fs::write(&pointer, format!("{}\n", home.display())).map_err(|error| at(&pointer, &error))?;
    Ok(home)
}

fn private_dir(dir: &Path, account: Option<(u32, u32)>) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|error| at(dir, &error))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|error| at(dir, &error))?;
    account.map_or(Ok(()), |(uid, gid)| chown(dir, Some(uid), Some(gid)).map_err(|error| at(dir, &error)))
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| Error::Unavailable(error.to_string()))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| Error::Unavailable(error.to_string()))
}

fn random() -> Result<[u8; 16], Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let mut file = fs::File::open(source).map_err(|error| at(source, &error))?;
    io::Read::read_exact(&mut file, &mut bytes).map_err(|error| at(source, &error))?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}
