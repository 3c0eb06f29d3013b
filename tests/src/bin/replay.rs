//! `make replay DATA=folder`: sends a year of real orders through OnePool, and finds its published totals again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::Value;
use system_tests::api::Hosts;
use system_tests::replay::places::Places;
use system_tests::replay::{SETTINGS, Source, figures, rows, run};
use system_tests::{Api, Deployment, Topology};

/// What is replayed, and where.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with `expected.json` and `datasets/`.
    #[arg(long)]
    data: PathBuf,
    /// Only the first rows; their totals are added up from the file itself.
    #[arg(long)]
    limit: Option<usize>,
    /// A OnePool that runs already and has no orders yet; one of our own, when left out.
    #[arg(long, requires = "client_secret")]
    url: Option<String>,
    /// The client to act as at that OnePool.
    #[arg(long, default_value = "admin")]
    client_id: String,
    /// Its secret.
    #[arg(long, env = "ONEPOOL_CLIENT_SECRET")]
    client_secret: Option<String>,
    /// Where the report is written to.
    #[arg(long, default_value = "target/replay/report.json")]
    report: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source = source(&arguments.data, arguments.limit)?;
    let report = match &arguments.url {
        Some(url) => {
            let secret = arguments.client_secret.as_deref().unwrap_or_default();
            let api = Api::login(Arc::new(Hosts::at(url)), &arguments.client_id, secret).await;
            run(&api, None, &source).await
        }
        None => {
            let deployment = Deployment::start(Topology::Embedded, SETTINGS).await;
            let api = deployment.administrator().await;
            run(&api, Some(&deployment), &source).await
        }
    };
    let text = serde_json::to_string_pretty(&report.json())?;
    println!("{text}");
    if let Some(folder) = arguments.report.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&arguments.report, text)?;
    let faults = report.faults();
    if !faults.is_empty() {
        eprintln!("\nnot as it must be:\n  {}", faults.join("\n  "));
        std::process::exit(1);
    }
    eprintln!("\nevery row is accounted for, and every total came back");
    Ok(())
}

fn source(data: &Path, limit: Option<usize>) -> Result<Source> {
    let file = |path: &str| rows::open(&data.join("datasets").join(path));
    let rows = rows::read(file("online_retail/online_retail.csv.gz")?, limit.unwrap_or(usize::MAX))?;
    let places = Places::read(file("stores/cn_stores.csv.gz")?)?;
    let expected = match limit {
        Some(_) => figures::tally(&rows),
        None => {
            let path = data.join("expected.json");
            let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let all: Value = serde_json::from_str(&text)?;
            all["online_retail"].clone()
        }
    };
    Ok(Source { rows, places, expected })
}
