//! Laying a file and the environment over the defaults. The default of a setting is also its type.

use std::collections::BTreeMap;

use config::{Environment, File, FileFormat, Source, ValueKind};
use toml::{Table, Value};

use super::Faults;

/// How the name of an environment variable that is meant for the settings begins, and what stands between its parts.
pub(super) const ENVIRONMENT_PREFIX: &str = "ONEPOOL__";
const PREFIX: &str = "ONEPOOL";
const SEPARATOR: &str = "__";

/// The values in force while they are being put together.
pub(super) struct Layers {
    pub defaults: Table,
    pub values: Table,
    pub origins: BTreeMap<String, String>,
    pub faults: Faults,
}

impl Layers {
    pub fn new(defaults: Table) -> Self {
        Self { values: defaults.clone(), defaults, origins: BTreeMap::new(), faults: Faults::default() }
    }

    /// Lays every setting in a file's text over the defaults: JSON where the file is called so, else TOML.
    pub fn file(&mut self, origin: &str, text: &str) {
        let format = if origin.ends_with(".json") { FileFormat::Json } else { FileFormat::Toml };
        match File::from_str(text, format).collect() {
            Ok(read) => {
                let table = read.into_iter().filter_map(|(key, value)| Some((key, plain(value)?))).collect();
                self.table(&table, &[], origin);
            }
            Err(_) => self.faults.push("", origin, syntax_problem(text, format)),
        }
    }

    fn table(&mut self, table: &Table, at: &[&str], origin: &str) {
        for (key, value) in table {
            let path: Vec<&str> = at.iter().copied().chain([key.as_str()]).collect();
            match (value, find(&self.defaults, &path)) {
                (Value::Table(inner), Some(Value::Table(_))) => self.table(inner, &path, origin),
                (_, None) => self.unknown(&path, origin),
                (_, Some(Value::Table(_))) => self.faults.push(path.join("."), origin, "is a section, not a value"),
                (_, Some(default)) => match conform(value.clone(), default) {
                    Some(value) => self.set(&path, origin, value),
                    None => self.faults.push(path.join("."), origin, format!("expects {}", kind(default))),
                },
            }
        }
    }

    /// Lays the environment's variables over what is there; those that are not ours are passed by.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let variables = variables.into_iter().collect();
        let source = Environment::with_prefix(PREFIX).prefix_separator(SEPARATOR).separator(SEPARATOR);
        let Ok(read) = source.source(Some(variables)).collect() else {
            self.faults.push("", "the environment", "cannot be read");
            return;
        };
        let read: BTreeMap<String, config::Value> = read.into_iter().collect();
        for (key, value) in read {
            let name = format!("{ENVIRONMENT_PREFIX}{}", key.to_uppercase().replace('.', SEPARATOR));
            // Nothing was parsed, so every value is the text itself.
            self.variable(&key, &name, &value.into_string().unwrap_or_default());
        }
    }

    fn variable(&mut self, key: &str, name: &str, text: &str) {
        let path: Vec<&str> = key.split('.').collect();
        match find(&self.defaults, &path) {
            None => self.unknown(&path, name),
            Some(Value::Table(_)) => self.faults.push(path.join("."), name, "is a section, not a value"),
            Some(default) => match parse(text, default) {
                Some(value) => self.set(&path, name, value),
                None => self.faults.push(path.join("."), name, format!("expects {}", kind(default))),
            },
        }
    }

    fn set(&mut self, path: &[&str], origin: &str, value: Value) {
        if let Some(slot) = find_mut(&mut self.values, path) {
            *slot = value;
            self.origins.insert(path.join("."), origin.to_owned());
        }
    }

    fn unknown(&mut self, path: &[&str], origin: &str) {
        let (known, missing) = nearest(&self.defaults, path);
        let section = path.iter().take(path.len().saturating_sub(missing)).copied().collect::<Vec<_>>().join(".");
        let known = known.keys().cloned().collect::<Vec<_>>().join(", ");
        let place = if section.is_empty() { "there are".to_owned() } else { format!("[{section}] has") };
        self.faults.push(path.join("."), origin, format!("is not a setting; {place} {known}"));
    }
}

/// The value at a path.
pub(super) fn find<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (last, sections) = path.split_last()?;
    let section = sections.iter().try_fold(table, |at, key| at.get(*key)?.as_table())?;
    section.get(*last)
}

/// The place of the value at a path.
pub(super) fn find_mut<'a>(table: &'a mut Table, path: &[&str]) -> Option<&'a mut Value> {
    let (last, sections) = path.split_last()?;
    let section = sections.iter().try_fold(table, |at, key| at.get_mut(*key)?.as_table_mut())?;
    section.get_mut(*last)
}

/// The innermost section that a path reaches, and how many of the path's parts lie beyond it.
fn nearest<'a>(table: &'a Table, path: &[&str]) -> (&'a Table, usize) {
    match path.split_first().and_then(|(first, rest)| Some((table.get(*first)?.as_table()?, rest))) {
        Some((section, rest)) => nearest(section, rest),
        None => (table, path.len()),
    }
}

/// The value if it is of the default's type; a whole number also serves as a decimal one.
fn conform(value: Value, default: &Value) -> Option<Value> {
    match (&value, default) {
        (Value::Integer(whole), Value::Float(_)) => whole.to_string().parse().ok().map(Value::Float),
        (Value::Array(items), Value::Array(defaults)) => {
            let alike = |item: &Value| defaults.first().is_none_or(|first| first.same_type(item));
            items.iter().all(alike).then_some(value)
        }
        _ => value.same_type(default).then_some(value),
    }
}

/// An environment variable's text as the default's type. A text stays exactly as it is, also when it looks like a number.
fn parse(text: &str, default: &Value) -> Option<Value> {
    match default {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Float(_) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(defaults) => parse_list(text.trim(), defaults).and_then(|value| conform(value, default)),
        Value::Datetime(_) => text.trim().parse().ok().map(Value::Datetime),
        Value::Table(_) => None,
    }
}

/// A list is written as in TOML, or as plain texts with commas between them.
fn parse_list(text: &str, defaults: &[Value]) -> Option<Value> {
    if text.starts_with('[') {
        return format!("list = {text}").parse::<Table>().ok()?.remove("list");
    }
    let texts = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    match defaults.first() {
        None => Some(Value::Array(texts.map(|item| Value::String(item.to_owned())).collect())),
        Some(first) => texts.map(|item| parse(item, first)).collect::<Option<Vec<_>>>().map(Value::Array),
    }
}

fn kind(default: &Value) -> &'static str {
    match default {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list of values of one kind",
        Value::Table(_) => "a section",
    }
}

/// A value as it was read, without where it came from; none for JSON's null, which says nothing.
fn plain(value: config::Value) -> Option<Value> {
    match value.kind {
        ValueKind::Nil => None,
        ValueKind::Boolean(value) => Some(Value::Boolean(value)),
        ValueKind::I64(value) => Some(Value::Integer(value)),
        ValueKind::I128(value) => i64::try_from(value).ok().map(Value::Integer),
        ValueKind::U64(value) => i64::try_from(value).ok().map(Value::Integer),
        ValueKind::U128(value) => i64::try_from(value).ok().map(Value::Integer),
        ValueKind::Float(value) => Some(Value::Float(value)),
        ValueKind::String(value) => Some(Value::String(value)),
        ValueKind::Array(items) => Some(Value::Array(items.into_iter().filter_map(plain).collect())),
        ValueKind::Table(map) => {
            Some(Value::Table(map.into_iter().filter_map(|(key, value)| Some((key, plain(value)?))).collect()))
        }
    }
}

/// The parser's own message would quote the line, which may hold a secret; the line's number is enough.
pub(super) fn syntax_problem(text: &str, format: FileFormat) -> String {
    if format == FileFormat::Json {
        let line = serde_json::from_str::<serde_json::Value>(text).err().map_or(1, |error| error.line());
        return format!("line {line} is not valid JSON");
    }
    let span = text.parse::<Table>().err().and_then(|error| error.span());
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    format!("line {line} is not valid TOML")
}
