//! The statements that PostgreSQL runs, with their plans as they were carried out: its module `auto_explain` writes each of
//! them to the server's log, so that what is judged is what OnePool sends and no copy of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::Deployment;

/// Tables that are never to be read from end to end.
const LARGE: [&str; 2] = ["stock", "movements"];

/// Lets connections that are made from now on log their plans, or not any more.
pub fn switch(deployment: &Deployment, on: bool) {
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
        // Reading the clock at every row would take longer than the rows.
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
    ];
    let alter = |(name, value): (&str, &str)| {
        let what = if on { format!("SET {name} = '{value}'") } else { format!("RESET {name}") };
        format!("EXECUTE format('ALTER DATABASE %I {}', current_database());", what.replace('\'', "''"))
    };
    // A name with a dot is a setting only where the module is loaded.
    let all: String = settings.into_iter().map(alter).collect();
    deployment.execute(&format!("LOAD 'auto_explain'; DO $do$ BEGIN {all} END $do$"));
}

/// A statement as it was carried out.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its text.
    pub text: String,
    /// Pages that it touched, in the cache or not.
    pub pages: u64,
    /// A large table that it read from end to end.
    pub scanned: Option<String>,
    /// The plan as PostgreSQL tells it.
    pub plan: Value,
}

impl Recorded {
    fn new(told: &Value) -> Option<Self> {
        let plan = &told["Plan"];
        let pages = |name: &str| plan[name].as_u64().unwrap_or(0);
        Some(Self {
            text: told["Query Text"].as_str()?.to_owned(),
            pages: pages("Shared Hit Blocks") + pages("Shared Read Blocks"),
            scanned: scanned(plan),
            plan: plan.clone(),
        })
    }

    /// What a reader of the report wants to see.
    pub fn view(&self) -> Value {
        json!({ "statement": self.text, "pages": self.pages, "plan": self.plan })
    }
}

fn scanned(node: &Value) -> Option<String> {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    if node["Node Type"] == "Seq Scan" && LARGE.contains(&table) {
        return Some(table.to_owned());
    }
    node["Plans"].as_array().into_iter().flatten().find_map(scanned)
}

/// Reads the server's log from where it was opened on.
#[derive(Debug)]
pub struct Recorder {
    log: PathBuf,
    read: u64,
}

impl Recorder {
    /// Begins with what is logged from now on.
    pub fn open(deployment: &Deployment) -> Self {
        #[derive(QueryableByName)]
        struct Folder {
            #[diesel(sql_type = Text)]
            folder: String,
        }
        let mut connection = deployment.try_connect().expect("the database is there");
        let folder: Folder = diesel::sql_query("SELECT current_setting('data_directory') AS folder")
            .get_result(&mut connection)
            .expect("PostgreSQL knows where its data is");
        // `tests/servers` puts it beside the data.
        let log = PathBuf::from(folder.folder).with_file_name("log");
        let read = log.metadata().expect("the server's log can be read").len();
        Self { log, read }
    }

    /// What was carried out since it was asked last.
    pub fn take(&mut self) -> Vec<Recorded> {
        let mut file = File::open(&self.log).expect("the server's log can be read");
        file.seek(SeekFrom::Start(self.read)).expect("the log only grows");
        let mut bytes = Vec::new();
        self.read += u64::try_from(file.read_to_end(&mut bytes).expect("the log can be read")).expect("a length");
        let text = String::from_utf8_lossy(&bytes);
        // A plan begins with its brace after the duration, and each of its lines with a tab.
        let told = text.split(" ms  plan:\n").skip(1).map(|rest| {
            let lines = rest.lines().take_while(|line| line.starts_with('\t'));
            lines.collect::<Vec<_>>().join("\n")
        });
        told.filter_map(|plan| Recorded::new(&serde_json::from_str(&plan).ok()?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequential_scan_is_found_wherever_it_stands() {
        let index = json!({ "Node Type": "Index Scan", "Relation Name": "stock" });
        let small = json!({ "Node Type": "Seq Scan", "Relation Name": "progress" });
        let large = json!({ "Node Type": "Seq Scan", "Relation Name": "movements", "Parallel Aware": true });
        let join = |inner: &Value| json!({ "Node Type": "Hash Join", "Plans": [small, { "Plans": [index, inner] }] });
        assert_eq!(scanned(&join(&index)), None);
        assert_eq!(scanned(&join(&large)), Some("movements".to_owned()));
    }
}
