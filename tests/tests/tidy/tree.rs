//! The repository as the rules see it: every file of ours with its text, and Rust source taken apart.

use std::collections::BTreeMap;
use std::path::Path;

/// Files by path relative to the repository, with `/` between its parts. Files that are not text have an empty text.
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// What lies in the repository, committed or not, less what is built or run there.
    pub fn repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
        let mut files = BTreeMap::new();
        walk(root, "", &mut files);
        assert!(files.len() > 50, "the repository was not found at {}", root.display());
        Self(files)
    }

    /// A repository of these files alone.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

fn walk(directory: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in directory.read_dir().expect("the repository can be read") {
        let entry = entry.expect("the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let ignored = [".git", "target", "data"].contains(&path.as_str()) || name.ends_with(".log");
        if ignored {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, std::fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
}

/// Rust source, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The code, with every literal text emptied and every comment gone.
    pub code: String,
    /// The literal texts, in order, with white space where an escape stands for it.
    pub texts: Vec<String>,
}

impl Source {
    pub fn parse(source: &str) -> Self {
        let mut parsed = Self::default();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            rest = if rest.starts_with("//") {
                rest.find('\n').map_or("", |end| &rest[end..])
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or("", |end| &rest[end + 2..])
            } else if let Some(fence) = raw_fence(rest, &parsed.code) {
                let body = &rest[fence.len()..];
                let end = format!("\"{}", &fence[1..fence.len() - 1]);
                parsed.text(body, &end)
            } else if first == '"' {
                parsed.text(&rest[1..], "\"")
            } else if first == '\'' {
                parsed.character(rest)
            } else {
                parsed.code.push(first);
                &rest[first.len_utf8()..]
            };
        }
        parsed
    }

    /// Takes a literal text up to its end, and answers what follows.
    fn text<'s>(&mut self, body: &'s str, end: &str) -> &'s str {
        let (mut text, mut rest) = (String::new(), body);
        while let Some(first) = rest.chars().next().filter(|_| !rest.starts_with(end)) {
            rest = &rest[first.len_utf8()..];
            let escaped = rest.chars().next().filter(|_| end == "\"" && first == '\\');
            text.push(escaped.map_or(first, |c| if "ntr".contains(c) { ' ' } else { c }));
            rest = &rest[escaped.map_or(0, char::len_utf8)..];
        }
        self.texts.push(text);
        self.code.push_str("\"\"");
        rest.get(end.len()..).unwrap_or("")
    }

    /// Takes a character, or the tick of a lifetime.
    fn character<'s>(&mut self, rest: &'s str) -> &'s str {
        let mut following = rest.char_indices().skip(1);
        let length = match following.next() {
            Some((_, '\\')) => rest[3..].find('\'').map(|end| end + 4),
            Some(_) => following.next().filter(|(_, end)| *end == '\'').map(|(at, _)| at + 1),
            None => None,
        };
        self.code.push('\'');
        &rest[length.unwrap_or(1)..]
    }
}

/// `r"`, `r#"`, `r##"` … when a raw text starts here rather than a name that contains an r.
fn raw_fence<'s>(rest: &'s str, before: &str) -> Option<&'s str> {
    if before.ends_with(|c: char| c.is_alphanumeric() && c != 'b' || c == '_') {
        return None;
    }
    let hashes = rest.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    rest[1 + hashes..].starts_with('"').then(|| &rest[..hashes + 2])
}

/// Whether `word` stands in `text` with no letter, digit or underscore next to it.
pub fn mentions(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let opens = word.starts_with(joins) && text[..at].ends_with(joins);
        let closes = word.ends_with(joins) && text[at + word.len()..].starts_with(joins);
        !opens && !closes
    })
}

#[test]
fn source_is_taken_apart() {
    let parsed = Source::parse(
        "let a = \"x \\\" // y\"; // gone \"z\"\nlet b: &'a str = r#\"q \" r\"#; /* c */ let c = ('\"', '\\'', bar\"s\");",
    );
    assert_eq!(parsed.texts, ["x \" // y", "q \" r", "s"]);
    assert_eq!(parsed.code, "let a = \"\"; \nlet b: &'a str = \"\";  let c = (', ', bar\"\");");
}

#[test]
fn words_are_told_from_parts_of_words() {
    assert!(mentions("use store::Tx;", "store::") && mentions("(Clock)", "Clock"));
    assert!(!mentions("restore::x", "store::") && !mentions("Clockwork", "Clock"));
}
