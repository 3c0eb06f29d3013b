//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::roles::Selection;

/// OnePool: one stock pool, one order book, one member base and one rebate ledger behind every channel.
#[derive(Debug, Parser)]
#[command(name = "onepool", version, about)]
pub struct Arguments {
    /// A TOML file with settings; variables ONEPOOL__SECTION__NAME override it.
    #[arg(long, global = true, env = "ONEPOOL_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run services until SIGTERM.
    Serve {
        /// Which: `all`, or names separated by commas.
        #[arg(long, default_value = "all")]
        role: Selection,
        /// Also load the demo data, once the server answers.
        #[arg(long)]
        demo: bool,
    },
    /// Bring the databases up to date.
    Migrate {
        /// Whose: `all`, or names separated by commas.
        #[arg(long, default_value = "all")]
        role: Selection,
    },
    /// Check the settings and name every fault.
    Check {
        /// For which services: `all`, or names separated by commas.
        #[arg(long, default_value = "all")]
        role: Selection,
    },
    /// List the services that can be run.
    Roles,
    /// Look after events that could not be taken.
    DeadLetters {
        /// Of which services: `all`, or names separated by commas.
        #[arg(long, global = true, default_value = "all")]
        role: Selection,
        /// What to do with them.
        #[command(subcommand)]
        command: DeadLettersCommand,
    },
    /// Look after events that wait to be sent.
    Outbox {
        /// What to do.
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// Load demo data into a running OnePool.
    Demo {
        /// Where it runs.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// A client that may write everything.
        #[arg(long, env = "ONEPOOL__AUTH__BOOTSTRAP__CLIENT_ID", default_value = "admin")]
        client_id: String,
        /// Its secret.
        #[arg(long, env = "ONEPOOL__AUTH__BOOTSTRAP__CLIENT_SECRET", hide_env_values = true)]
        client_secret: String,
    },
    /// Print every setting with its meaning, default and variable, as Markdown.
    Settings,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List them, newest first.
    List {
        /// Only those that wait for a person.
        #[arg(long)]
        parked: bool,
    },
    /// Try one again now.
    Replay {
        /// Its number in the list.
        id: i64,
    },
    /// Throw one away; it is printed first.
    Drop {
        /// Its number in the list.
        id: i64,
    },
}

/// What can be done with the outbox.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// What waits, per service, and since when.
    Status,
}
