//! The manual of the settings, made from the comments in the defaults.

use toml_edit::{Decor, DocumentMut, Item, Key, Table};

use super::layer::ENVIRONMENT_PREFIX;
use super::{DEFAULTS, Faults, OWN_DATABASE};

/// Every setting of the platform and of the services' `defaults`, as Markdown: name, default, environment variable and
/// what its comment says.
pub fn document(defaults: &[&str]) -> Result<String, Faults> {
    let mut text = String::new();
    section(&mut text, &[], &parse(DEFAULTS)?);
    for defaults in defaults.iter().filter(|text| **text != DEFAULTS) {
        let own = parse(defaults)?;
        section(&mut text, &[], &own);
        for (service, _) in own.iter() {
            let comment = format!(
                "# The database of this service alone.\n[{service}.{OWN_DATABASE}]\n\
                 # A database of its own for this service; empty for the common one.\nurl = \"\"\n"
            );
            section(&mut text, &[], &parse(&comment)?);
        }
    }
    Ok(text)
}

fn parse(text: &str) -> Result<Table, Faults> {
    let problem = |error: toml_edit::TomlError| Faults::one("defaults", error.message());
    text.parse::<DocumentMut>().map(|document| document.as_table().clone()).map_err(problem)
}

fn section(text: &mut String, path: &[&str], table: &Table) {
    let rows: Vec<String> = table.iter().filter_map(|(key, item)| row(path, table.key(key)?, item)).collect();
    if !rows.is_empty() {
        let title = if path.is_empty() { "Above all sections".to_owned() } else { format!("`[{}]`", path.join(".")) };
        text.push_str(&format!("## {title}\n\n"));
        let about = comment(table.decor());
        if !path.is_empty() && !about.is_empty() {
            text.push_str(&format!("{about}\n\n"));
        }
        text.push_str("| Setting | Default | Environment variable | Meaning |\n|---|---|---|---|\n");
        text.push_str(&rows.concat());
        text.push('\n');
    }
    for (key, item) in table.iter() {
        if let Item::Table(inner) = item {
            let inner_path: Vec<&str> = path.iter().copied().chain([key]).collect();
            section(text, &inner_path, inner);
        }
    }
}

fn row(path: &[&str], key: &Key, item: &Item) -> Option<String> {
    let default = item.as_value()?.clone().decorated("", "").to_string();
    let parts: Vec<&str> = path.iter().copied().chain([key.get()]).collect();
    let (name, variable) = (parts.join("."), parts.join("__").to_uppercase());
    let meaning = comment(key.leaf_decor()).replace('|', "\\|");
    Some(format!("| `{name}` | `{default}` | `{ENVIRONMENT_PREFIX}{variable}` | {meaning} |\n"))
}

/// The comment lines right above, as one paragraph.
fn comment(decor: &Decor) -> String {
    let text = decor.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix('#'));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}
