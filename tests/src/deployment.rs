//! OnePool as it is deployed: one process with everything in it, one process over servers, or a process per role.

use std::fs::{Permissions, create_dir_all, read_to_string, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use testkit::{TestBroker, TestDatabase};

use crate::api::{Api, Hosts};
use crate::process::{PORT, Process, free_port, send, unique};
use crate::servers::Servers;
use crate::wait::until;

/// What runs as a process of its own in production.
pub const ROLES: [&str; 6] = ["gateway", "product", "inventory", "order", "member", "rebate"];
/// The administrator that deployments over servers are given by their settings.
const ADMINISTRATOR: (&str, &str) = ("admin", "a secret of the tests alone");

/// How the roles are spread over processes and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Every role in one process that brings its database, broker and cache along.
    Embedded,
    /// Every role in one process, over PostgreSQL, RabbitMQ and Redis.
    AllInOneOverRabbit,
    /// Each role in a process of its own, over PostgreSQL, RabbitMQ and Redis.
    ProcessPerRole,
}

/// The servers under a deployment.
#[derive(Debug)]
pub struct Backing {
    /// `postgres://…` of a database of its own.
    pub postgres: String,
    /// `amqp://…` with a virtual host of its own.
    pub amqp: String,
    /// `http://…` of RabbitMQ's management API.
    pub amqp_admin: String,
    /// `redis://…` of a database of its own.
    pub redis: String,
    _own: Option<(TestDatabase, TestBroker)>,
}

impl Backing {
    /// A database, a virtual host and a cache of its own on the servers of this test run.
    pub fn of_this_run() -> Self {
        let (database, broker) = (TestDatabase::empty(), TestBroker::new());
        let (postgres, amqp) = (database.url().to_owned(), broker.url());
        let amqp_admin =
            std::env::var("ONEPOOL_TEST_AMQP_ADMIN").expect("the broker could be asked for a virtual host");
        Self { postgres, amqp, amqp_admin, redis: crate::servers::empty_redis(), _own: Some((database, broker)) }
    }

    /// Servers that belong to one test alone.
    pub fn of(servers: &Servers) -> Self {
        Self {
            postgres: servers.postgres.clone(),
            amqp: servers.amqp.clone(),
            amqp_admin: servers.amqp_admin.clone(),
            redis: servers.redis.clone(),
            _own: None,
        }
    }

    fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("ONEPOOL__DATABASE__URL", self.postgres.clone()),
            ("ONEPOOL__BUS__URL", self.amqp.clone()),
            ("ONEPOOL__CACHE__URL", self.redis.clone()),
        ]
    }
}

/// A running OnePool. Everything it started ends with it.
#[derive(Debug)]
pub struct Deployment {
    topology: Topology,
    processes: Vec<Process>,
    hosts: Arc<Hosts>,
    scratch: PathBuf,
    backing: Option<Backing>,
    /// Where the test itself reads the database; the embedded one says where it is.
    database: Option<String>,
}

impl Deployment {
    /// Starts OnePool on servers of this test run, and waits until it serves. `settings` are of the form `order.x=1`.
    pub async fn start(topology: Topology, settings: &[&str]) -> Self {
        let backing = (topology != Topology::Embedded).then(Backing::of_this_run);
        let database = backing.as_ref().map(|backing| backing.postgres.clone());
        Self::start_on(topology, settings, backing, database.as_deref()).await
    }

    /// As [`Deployment::start`], on these servers; `database` is where the test itself reads them.
    pub async fn start_on(
        topology: Topology,
        settings: &[&str],
        backing: Option<Backing>,
        database: Option<&str>,
    ) -> Self {
        let scratch = scratch();
        let ports: Vec<u16> = ROLES.iter().map(|_| free_port()).collect();
        let hosts = Arc::new(match topology {
            Topology::ProcessPerRole => Hosts::per_role(ROLES.iter().copied().zip(ports.iter().copied())),
            _ => Hosts::single(ports[0]),
        });
        let shared = shared_settings(settings, backing.as_ref(), ports[0]);
        let process = |name: &str, arguments: &[&str], port: u16| {
            let data = scratch.join(name);
            create_dir_all(&data).expect("the scratch directory can be written to");
            let mut settings = shared.clone();
            settings.push((PORT.to_owned(), port.to_string()));
            settings.push(("ONEPOOL__DATA_DIR".to_owned(), data.display().to_string()));
            if topology == Topology::ProcessPerRole && name != "gateway" {
                let keys = format!("http://127.0.0.1:{}/.well-known/jwks.json", ports[0]);
                settings.push(("ONEPOOL__AUTH__JWKS_URL".to_owned(), keys));
            }
            Process::new(name, arguments, settings, &scratch)
        };
        let processes = match topology {
            Topology::ProcessPerRole => {
                ROLES.iter().zip(&ports).map(|(role, port)| process(role, &["serve", "--role", role], *port)).collect()
            }
            _ => vec![process("onepool", &["serve"], ports[0])],
        };
        let database = database.map(ToOwned::to_owned);
        let mut deployment = Self { topology, processes, hosts, scratch, backing, database };
        deployment.migrate();
        deployment.processes.iter_mut().for_each(Process::start);
        deployment.ready().await;
        deployment
    }

    /// Over servers the migrations are a command of their own, as they are a job of their own in production.
    fn migrate(&self) {
        if self.topology == Topology::Embedded {
            return;
        }
        let (status, text) = self.processes[0].run(&["migrate"]);
        assert!(status.success(), "`onepool migrate` failed with {status}:\n{text}");
    }

    /// Waits until every process that is to run serves.
    pub async fn ready(&mut self) {
        let http = reqwest::Client::new();
        for process in self.processes.iter_mut().filter(|process| process.is_started()) {
            let url = format!("{}/readyz", process.url());
            until(&format!("{} is ready", process.name.clone()), async || {
                if let Some(status) = process.ended() {
                    panic!("{} ended with {status}:\n{}", process.name, process.last_words());
                }
                let answer = http.get(&url).timeout(Duration::from_secs(2)).send().await;
                let answer = answer.map_err(|error| error.to_string())?;
                if answer.status().is_success() { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
            })
            .await;
        }
    }

    /// How it is deployed.
    pub const fn topology(&self) -> Topology {
        self.topology
    }

    /// The servers under it, where it has any.
    pub const fn backing(&self) -> Option<&Backing> {
        self.backing.as_ref()
    }

    /// A client with every permission.
    pub async fn administrator(&self) -> Api {
        let (id, secret) = self.administrators_credentials();
        Api::login(self.hosts.clone(), &id, &secret).await
    }

    /// The id and the secret of that client.
    pub fn administrators_credentials(&self) -> (String, String) {
        let secret = match self.topology {
            Topology::Embedded => read_to_string(self.scratch.join("onepool/keys/administrator-secret"))
                .expect("the first start made an administrator"),
            _ => ADMINISTRATOR.1.to_owned(),
        };
        (ADMINISTRATOR.0.to_owned(), secret.trim().to_owned())
    }

    /// A client with an id and a secret of its own.
    pub async fn client(&self, id: &str, secret: &str) -> Api {
        Api::login(self.hosts.clone(), id, secret).await
    }

    /// Someone without a token.
    pub fn stranger(&self) -> Api {
        Api::with_token(self.hosts.clone(), "")
    }

    /// Someone with this token.
    pub fn bearer(&self, token: &str) -> Api {
        Api::with_token(self.hosts.clone(), token)
    }

    /// The key that its gateway signs tokens with, as someone who broke into the machine would read it.
    pub fn signing_key(&self) -> String {
        let path = self.scratch.join(&self.processes[0].name).join("keys/token-signing.pem");
        read_to_string(path).expect("the first start made a key")
    }

    /// The names of its processes.
    pub fn names(&self) -> Vec<String> {
        self.processes.iter().map(|process| process.name.clone()).collect()
    }

    /// A process by its role; the only one where all roles share it.
    pub fn process(&mut self, role: &str) -> &mut Process {
        let index = self.processes.iter().position(|process| process.name == role).unwrap_or(0);
        &mut self.processes[index]
    }

    /// Starts one more process of a role on the same servers; answers its name and where it listens. The caller waits until
    /// it is [`Deployment::ready`].
    pub fn replica(&mut self, role: &str) -> (String, String) {
        let name = format!("{role}-{}", self.processes.len());
        let scratch = self.scratch.clone();
        let mut replica = self.process(role).sibling(&name, free_port(), &scratch);
        replica.start();
        let url = replica.url();
        self.processes.push(replica);
        (name, url)
    }

    /// Runs a command of the binary with the settings of this deployment; it must succeed.
    pub fn command(&self, arguments: &[&str]) -> String {
        let (status, text) = self.processes[0].run(arguments);
        assert!(status.success(), "`onepool {}` failed with {status}:\n{text}", arguments.join(" "));
        text
    }

    /// Kills a process and starts it again; the caller waits until it is [`Deployment::ready`].
    pub fn crash(&mut self, role: &str) {
        let process = self.process(role);
        process.kill();
        process.start();
    }

    /// A connection to its database, past everything the product guards; none while the database is away.
    pub fn try_connect(&self) -> Option<PgConnection> {
        // The embedded cluster listens elsewhere after each start.
        let embedded = || embedded_url(&self.scratch.join("onepool"));
        PgConnection::establish(&self.database.clone().or_else(embedded)?).ok()
    }

    /// The one whole number that `sql` selects as `number`.
    pub fn number(&self, sql: &str) -> i64 {
        self.try_number(sql).unwrap_or_else(|| panic!("no answer to {sql}"))
    }

    /// [`Deployment::number`]; none while the database is away.
    pub fn try_number(&self, sql: &str) -> Option<i64> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let mut connection = self.try_connect()?;
        let row: Row = diesel::sql_query(sql).get_result(&mut connection).ok()?;
        Some(row.number)
    }

    /// Runs SQL past everything the product guards.
    pub fn execute(&self, sql: &str) {
        let mut connection = self.try_connect().expect("the database is there");
        connection.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(Process::kill);
        if self.topology == Topology::Embedded {
            stop_cluster(&self.scratch.join("onepool"));
        }
        if std::thread::panicking() {
            for process in &self.processes {
                eprintln!("{}", process.last_words());
            }
            eprintln!("The logs are kept in {}", self.scratch.display());
        } else {
            let _left_behind = std::fs::remove_dir_all(&self.scratch);
        }
    }
}

/// A directory that the account which runs PostgreSQL can walk to, whatever account runs the tests.
fn scratch() -> PathBuf {
    let path = std::env::temp_dir().join(format!("onepool-test-{}", unique()));
    create_dir_all(&path).expect("the temporary directory can be written to");
    set_permissions(&path, Permissions::from_mode(0o755)).expect("a directory of our own");
    path
}

fn shared_settings(settings: &[&str], backing: Option<&Backing>, port: u16) -> Vec<(String, String)> {
    let mut all = vec![
        ("ONEPOOL__HTTP__METRICS_PORT".to_owned(), "0".to_owned()),
        ("ONEPOOL__AUTH__ISSUER".to_owned(), format!("http://127.0.0.1:{port}")),
    ];
    if let Some(backing) = backing {
        all.extend(backing.settings().map(|(key, value)| (key.to_owned(), value)));
        all.push(("ONEPOOL__AUTH__BOOTSTRAP__CLIENT_ID".to_owned(), ADMINISTRATOR.0.to_owned()));
        all.push(("ONEPOOL__AUTH__BOOTSTRAP__CLIENT_SECRET".to_owned(), ADMINISTRATOR.1.to_owned()));
        // Six services of several deployments at once share the connections of one test server.
        all.push(("ONEPOOL__DATABASE__POOL_SIZE".to_owned(), "4".to_owned()));
    }
    for setting in settings {
        let (key, value) = setting.split_once('=').expect("a setting is key=value");
        all.push((format!("ONEPOOL__{}", key.to_uppercase().replace('.', "__")), value.to_owned()));
    }
    all
}

/// Where the embedded cluster keeps its files, wherever it could be put.
fn cluster_home(data_dir: &Path) -> PathBuf {
    let elsewhere = read_to_string(data_dir.join("postgres.location"));
    elsewhere.map_or_else(|_| data_dir.join("postgres"), |path| PathBuf::from(path.trim()))
}

/// How to connect to the embedded cluster, as an operator would find out.
fn embedded_url(data_dir: &Path) -> Option<String> {
    let home = cluster_home(data_dir);
    let password = read_to_string(home.join("password")).ok()?;
    let pid_file = read_to_string(home.join("data/postmaster.pid")).ok()?;
    let port = pid_file.lines().nth(3)?;
    Some(format!("postgres://onepool:{}@127.0.0.1:{port}/postgres", password.trim()))
}

/// The cluster outlives a killed OnePool by design; a test's must not.
fn stop_cluster(data_dir: &Path) {
    let home = cluster_home(data_dir);
    let Ok(pid_file) = read_to_string(home.join("data/postmaster.pid")) else { return };
    if let Some(process) = pid_file.lines().next().and_then(|line| line.trim().parse().ok()) {
        // The immediate shutdown, which takes PostgreSQL's children along.
        send("QUIT", process);
        while Path::new(&format!("/proc/{process}")).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if !home.starts_with(data_dir) {
        let _left_behind = std::fs::remove_dir_all(home);
    }
}
