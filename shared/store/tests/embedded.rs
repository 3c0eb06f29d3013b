//! The embedded database, started for real from the binaries of this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what its tests share")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use kernel::Timestamp;
use store::embedded::Cluster;

/// A data directory below the temporary one, which the account that runs PostgreSQL can walk to.
struct DataDir(PathBuf);

impl DataDir {
    fn new() -> Self {
        let name = format!("onepool-embedded-{}", kernel::id::uuid_at(Timestamp::EPOCH).simple());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn start(data_dir: &Path) -> Result<Cluster, store::Error> {
    Cluster::start(data_dir, Path::new(""), 0)
}

#[test]
fn a_cluster_is_run_by_the_version_that_made_it_or_not_at_all() {
    let data_dir = DataDir::new();
    let cluster = start(&data_dir.0).unwrap();
    let mut connection = PgConnection::establish(cluster.url()).unwrap();
    diesel::sql_query("CREATE TABLE kept (id integer)").execute(&mut connection).unwrap();
    cluster.stop().unwrap();

    // As if its version had been removed from the machine: no PostgreSQL has this one.
    let version_file = data_dir.0.join("postgres/data/PG_VERSION");
    let version = fs::read_to_string(&version_file).unwrap();
    fs::write(&version_file, "1\n").unwrap();
    let error = start(&data_dir.0).err().expect("no PostgreSQL 1 is installed").to_string();
    assert!(error.contains("was made by PostgreSQL 1,") && error.contains("postgresql-1)"), "{error}");

    fs::write(&version_file, version).unwrap();
    let cluster = start(&data_dir.0).unwrap();
    let mut connection = PgConnection::establish(cluster.url()).unwrap();
    diesel::sql_query("DROP TABLE kept").execute(&mut connection).unwrap();
    cluster.stop().unwrap();
}

#[test]
fn a_cluster_is_reached_over_its_socket_or_its_port_wherever_it_lies() {
    let data_dir = DataDir::new();
    let long = "long".repeat(25);
    for (place, by_socket) in [("with a space", true), ("it's quoted", false), (long.as_str(), false)] {
        let place = data_dir.0.join(place);
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let cluster = start(&place).unwrap();
        assert_eq!(!cluster.url().contains("@127.0.0.1:"), by_socket, "{}", cluster.url());
        let mut connection = PgConnection::establish(cluster.url()).unwrap();
        diesel::sql_query("SELECT 1").execute(&mut connection).unwrap();
        cluster.stop().unwrap();
    }
}
