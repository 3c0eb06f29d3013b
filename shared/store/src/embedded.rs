//! The embedded database: a private PostgreSQL cluster in the data directory, run from the installed binaries.
//!
//! It listens on the loopback address only, with a password of its own; OnePool itself takes the socket beside the data,
//! which costs less than the network stack. It outlives a killed OnePool; the next start finds it by its pid file and goes
//! on with it. Only the major version that made a cluster can run it, so an existing one is run by that version, and a new
//! one is made by the newest that is installed. PostgreSQL refuses to run as root, so as root it runs as the account
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
/// The one address it listens on.
const LOOPBACK: &str = "127.0.0.1";
/// The longest path of a socket that every system takes.
const MAX_SOCKET_PATH: usize = 103;
/// The oldest PostgreSQL that OnePool is tested with.
const OLDEST_VERSION: u32 = 15;
/// Where distributions and Homebrew install PostgreSQL: a directory per version, after this prefix to its name.
const INSTALLED_IN: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

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
    /// `binaries` is the directory of the programs, empty for those of the version that made the cluster, or of the newest
    /// where there is none yet; `port` 0 takes any free one.
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
        let host = place
            .socket(port)
            .filter(|socket| socket.exists())
            .map_or_else(|| LOOPBACK.to_owned(), |_| percent_encoded(&place.home));
        let url = format!("postgres://onepool:{}@{host}:{port}/postgres", password.trim());
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
        let root = fs::metadata("/proc/self").map_err(|error| at(Path::new("/proc/self"), &error))?.uid() == 0;
        let account = if root { Some(account()?) } else { None };
        let home = if root && !reachable(&data_dir) { fallback(&data_dir)? } else { data_dir.join("postgres") };
        private_dir(&home, account)?;
        let data = home.join("data");
        let installed = if binaries.as_os_str().is_empty() { installed() } else { vec![Programs::of(binaries)?] };
        let bin = choose(installed, made_by(&data)?, &data)?;
        Ok(Self { bin, home, account })
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
        let sockets = self.socket(port).map_or_else(String::new, |_| self.home.display().to_string());
        let options = format!(
            "-c listen_addresses={LOOPBACK} -c port={port} -c unix_socket_directories='{sockets}' -c max_connections=200 \
             -c shared_buffers=256MB -c max_wal_size=2GB -c wal_compression=on -c checkpoint_timeout=15min \
             -c logging_collector=off -c timezone=UTC"
        );
        self.run("pg_ctl", |command| {
            command.arg("-D").arg(self.data()).arg("-l").arg(&log).args(["-w", "-t", "60", "-o", &options, "start"]);
        })?;
        self.running_port()?.ok_or(Error::Broken("a started cluster has a pid file"))
    }

    /// The cluster's socket, unless its path is too long for one or cannot be written as a setting.
    fn socket(&self, port: u16) -> Option<PathBuf> {
        let socket = self.home.join(format!(".s.PGSQL.{port}"));
        let plain = self.home.to_str().is_some_and(|path| !path.contains(['\'', '"', ',', '\\', '$', '`']));
        (plain && socket.as_os_str().len() <= MAX_SOCKET_PATH).then_some(socket)
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

/// PostgreSQL's programs of one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Programs {
    version: u32,
    bin: PathBuf,
}

impl Programs {
    /// Those in a directory, which say their version themselves: `pg_ctl (PostgreSQL) 15.18 (Debian 15.18-0)`.
    fn of(bin: &Path) -> Result<Self, Error> {
        let path = bin.join("pg_ctl");
        let output = Command::new(&path).arg("--version").output().map_err(|error| at(&path, &error))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = said.split("(PostgreSQL)").nth(1).and_then(major_version);
        let version = version.ok_or_else(|| {
            Error::Unavailable(format!("{} does not say which PostgreSQL it is of: {}", path.display(), said.trim()))
        })?;
        Ok(Self { version, bin: bin.to_owned() })
    }
}

/// The digits that a version begins with.
fn major_version(text: &str) -> Option<u32> {
    let text = text.trim_start();
    text.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
}

/// Every PostgreSQL on this machine: where distributions put it, and the one on the PATH.
fn installed() -> Vec<Programs> {
    let mut found = Vec::new();
    for (directory, prefix) in INSTALLED_IN {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.strip_prefix(prefix).and_then(|version| version.parse().ok());
            let bin = entry.path().join("bin");
            if let Some(version) = version.filter(|_| bin.join("initdb").exists()) {
                found.push(Programs { version, bin });
            }
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|directory| directory.join("initdb").exists());
    found.extend(on_path.and_then(|bin| Programs::of(&bin).ok()));
    found
}

/// The version that made the cluster, if there is one.
fn made_by(data: &Path) -> Result<Option<u32>, Error> {
    let path = data.join("PG_VERSION");
    if !path.exists() {
        return Ok(None);
    }
    let text = read(&path)?;
    let version = major_version(&text);
    version.map(Some).ok_or_else(|| Error::Unavailable(format!("{} holds no version: {text}", path.display())))
}

/// The programs to run the cluster in `data` with: of the version that made it, or of the newest for a new one.
fn choose(found: Vec<Programs>, made_by: Option<u32>, data: &Path) -> Result<PathBuf, Error> {
    let Some(needed) = made_by else {
        let newest = found.into_iter().filter(|programs| programs.version >= OLDEST_VERSION).max();
        return newest.map(|programs| programs.bin).ok_or_else(|| {
            Error::Unavailable(format!(
                "no PostgreSQL {OLDEST_VERSION} or newer is installed; install it (Debian: apt-get install postgresql) \
                 or set database.url to a server of your own"
            ))
        });
    };
    let versions: Vec<String> = found.iter().map(|programs| programs.version.to_string()).collect();
    let fitting = found.into_iter().find(|programs| programs.version == needed);
    fitting.map(|programs| programs.bin).ok_or_else(|| {
        let found = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
        Error::Unavailable(format!(
            "the database in {} was made by PostgreSQL {needed}, and only that version can run it (found: {found}); \
             install it (Debian: apt-get install postgresql-{needed}) or name its directory in database.binaries; to \
             leave it behind, dump the database with it and restore the dump into a new data directory",
            data.display()
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

/// A directory as the host of a connection URL.
fn percent_encoded(path: &Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("%{byte:02X}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(version: u32) -> Programs {
        Programs { version, bin: PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")) }
    }

    fn chosen(versions: &[u32], made_by: Option<u32>) -> Result<PathBuf, String> {
        let found = versions.iter().copied().map(programs).collect();
        choose(found, made_by, Path::new("/srv/data")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_new_cluster_is_made_by_the_newest_version() {
        assert_eq!(chosen(&[15, 17, 16], None), Ok(programs(17).bin));
        assert_eq!(chosen(&[9, 15], None), Ok(programs(15).bin));
    }

    #[test]
    fn an_existing_cluster_is_run_by_the_version_that_made_it() {
        assert_eq!(chosen(&[15, 17, 16], Some(15)), Ok(programs(15).bin));
        assert_eq!(chosen(&[16, 17], Some(16)), Ok(programs(16).bin));
    }

    #[test]
    fn where_that_version_is_gone_the_error_says_what_to_install() {
        let error = chosen(&[16, 17], Some(15)).unwrap_err();
        assert!(error.contains("/srv/data was made by PostgreSQL 15"), "{error}");
        assert!(error.contains("found: 16, 17") && error.contains("apt-get install postgresql-15"), "{error}");
        assert!(error.contains("dump"), "{error}");
    }

    #[test]
    fn where_nothing_usable_is_installed_the_error_says_so() {
        let error = chosen(&[14], None).unwrap_err();
        assert!(error.contains("no PostgreSQL 15 or newer"), "{error}");
    }

    #[test]
    fn the_major_version_is_what_a_version_begins_with() {
        assert_eq!(major_version(" 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_version("18beta2"), Some(18));
        assert_eq!(major_version("17\n"), Some(17));
        assert_eq!(major_version("new"), None);
    }
}
