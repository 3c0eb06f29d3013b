//! The OnePool binary: one program that runs any of the services or all of them, and what operating them needs.

mod arguments;
mod check;
mod database;
mod dead_letters;
mod demo;
mod loading;
mod migrate;
mod outbox;
mod roles;
mod serve;
mod terminal;

use std::process::ExitCode;

use actix_web::rt::System;
use clap::Parser;

use crate::arguments::{Arguments, Command};

/// Orders are many small texts made in one thread and dropped in another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Services share one runtime with real threads; the HTTP server keeps its own workers beside it.
    let runtime = || match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("the runtime could not be started: {error}"));
            std::process::exit(1)
        }
    };
    match System::with_tokio_rt(runtime).block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = loading::load(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve { role, demo } => serve::serve(&settings, &role, demo).await,
        Command::Migrate { role } => migrate::migrate(&settings, &role).await,
        Command::Check { role } => check::check(&settings, &role),
        Command::Roles => terminal::say(&roles::names().join("\n")),
        Command::DeadLetters { role, command } => dead_letters::run(&settings, &role, command).await,
        Command::Outbox { command } => outbox::run(&settings, &command).await,
        Command::Demo { url, client_id, client_secret } => demo::seed(&url, &client_id, &client_secret).await,
        Command::Settings => terminal::say(&loading::document()?),
    }
}
