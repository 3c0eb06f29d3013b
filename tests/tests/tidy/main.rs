//! The house rules that neither the compiler nor clippy checks. Each is tried on a planted violation first, so that a rule
//! that has stopped seeing anything fails too.

mod documentation;
mod layout;
mod tree;

use contracts::ProblemCode;
use tree::{Source, Tree, mentions};

/// What breaks a rule: a line each, with the file's path in it.
type Faults = Vec<String>;

/// Fails unless the rule sees something in each planted file and nothing in the repository.
fn keep(rule: impl Fn(&Tree) -> Faults, fix: &str, planted: &[(&str, &str)]) {
    for (path, text) in planted {
        let faults = rule(&Tree::of(&[(path, text)]));
        assert!(
            faults.iter().any(|fault| fault.contains(path)),
            "the rule overlooks what was planted in {path}: {text}"
        );
    }
    let faults = rule(&Tree::repository());
    assert!(faults.is_empty(), "\n  {}\n\nHow to fix it: {fix}\n", faults.join("\n  "));
}

/// The faults of each file of the tree that `of` looks at.
fn faults<'t>(files: impl Iterator<Item = (&'t str, &'t str)>, of: impl Fn(&str, &str) -> Option<String>) -> Faults {
    files.filter_map(|(path, text)| of(path, text).map(|fault| format!("{path}: {fault}"))).collect()
}

#[test]
fn every_source_file_opens_with_what_it_owns() {
    keep(
        |tree| faults(tree.rust(), |_, text| (!text.starts_with("//! ")).then(|| "does not open with //!".to_owned())),
        "open the file with a `//!` sentence: what it owns and, where it matters, what it must not do.",
        &[("shared/kernel/src/money.rs", "use std::fmt;\n//! Money.\n")],
    );
}

#[test]
fn files_fit_a_sitting() {
    const MOST_LINES: usize = 500;
    let too_long = |_: &str, text: &str| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{lines} lines, at most {MOST_LINES}"))
    };
    keep(
        |tree| faults(tree.rust().chain(tree.files().filter(|(path, _)| path.ends_with(".sql"))), too_long),
        "split the file by what its parts own.",
        &[("shared/kernel/src/money.rs", &"\n".repeat(501)), ("migrations/order/1_x/up.sql", &"\n".repeat(501))],
    );
}

#[test]
fn the_domain_is_pure() {
    const IMPURE: [&str; 13] = [
        "diesel",
        "actix",
        "actix_web",
        "tokio",
        "lapin",
        "redis",
        "reqwest",
        "store::",
        "Clock",
        "std::env",
        "std::fs",
        "std::net",
        "std::process",
    ];
    let impure = |_: &str, text: &str| {
        let code = Source::parse(text).code;
        IMPURE.iter().find(|word| mentions(&code, word)).map(|word| format!("mentions {word}"))
    };
    keep(
        |tree| faults(tree.rust().filter(|(path, _)| in_domain(path)), impure),
        "a rule takes what it needs to know as arguments; the command in app/ reads it and passes it in.",
        &[
            ("services/order/src/domain/state.rs", "use diesel::prelude::*;"),
            ("services/order/src/domain/state.rs", "fn now(clock: &dyn Clock) {}"),
            ("services/order/src/domain.rs", "use std::{env, fs};\nuse crate::store::orders;"),
        ],
    );
}

fn in_domain(path: &str) -> bool {
    path.starts_with("services/") && (path.contains("/src/domain/") || path.ends_with("/src/domain.rs"))
}

#[test]
fn no_sql_names_a_schema() {
    let crosses = |path: &str, text: &str| {
        let texts = if path.ends_with(".sql") { vec![without_sql_comments(text)] } else { Source::parse(text).texts };
        texts.iter().find_map(|sql| qualified(sql))
    };
    keep(
        |tree| faults(tree.files().filter(|(path, _)| holds_sql(path)), crosses),
        "a service's SQL names its own tables only, unqualified: the connection's search_path finds them. What it needs of another \
         service it copies from events.",
        &[
            ("services/rebate/src/store/facts.rs", "const READ: &str = \"SELECT id FROM \\\"order\\\".orders\";"),
            (
                "services/rebate/src/store/facts.rs",
                "const READ: &str = r#\"select 1\nfrom facts join member.members m on true\"#;",
            ),
            (
                "migrations/rebate/00000000001000_rebate/up.sql",
                "CREATE TABLE x (id uuid REFERENCES inventory.balance (id));",
            ),
            ("services/order/src/store/orders.rs", "sql_query(\"SET search_path TO member\")"),
        ],
    );
}

fn holds_sql(path: &str) -> bool {
    let product = ["services/", "shared/"].iter().any(|part| path.starts_with(part));
    let owns_the_search_path = path.starts_with("shared/store/src/") || path.starts_with("shared/testkit/");
    path.starts_with("migrations/") || (product && path.ends_with(".rs") && !owns_the_search_path && !is_test(path))
}

/// Tests look at tables on connections of their own, which have no search_path.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn without_sql_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The first table, sequence or function in the SQL that is named with its schema.
fn qualified(sql: &str) -> Option<String> {
    const BEFORE_A_NAME: [&str; 10] =
        ["from", "join", "into", "update", "table", "references", "truncate", "only", "on", "function"];
    let plain = sql.to_lowercase().replace('"', "");
    let words: Vec<&str> =
        plain.split(|c: char| c.is_whitespace() || "(),;=".contains(c)).filter(|w| !w.is_empty()).collect();
    if words.contains(&"search_path") {
        return Some("sets the search_path".to_owned());
    }
    let statement = ["select", "insert", "update", "delete", "create", "alter", "truncate", "with", "drop"];
    if !words.iter().any(|word| statement.contains(word)) {
        return None;
    }
    let named = |word: &str| {
        layout::SERVICES.iter().any(|schema| word.strip_prefix(schema).is_some_and(|r| r.starts_with('.')))
    };
    let pairs = words.windows(2).find(|pair| BEFORE_A_NAME.contains(&pair[0]) && named(pair[1]));
    pairs.map(|pair| format!("names {} with its schema", pair[1]))
}

#[test]
fn row_locks_are_taken_in_one_place() {
    let locks = |path: &str, text: &str| {
        let sql =
            if path.ends_with(".sql") { without_sql_comments(text) } else { Source::parse(text).texts.join("\n") };
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        let clauses = ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"];
        let by_sql = clauses.into_iter().find(|clause| mentions(&sql, clause));
        let by_diesel = path.ends_with(".rs") && mentions(&Source::parse(text).code, "for_update");
        by_sql.or(by_diesel.then_some("for_update")).map(|clause| format!("takes row locks ({clause})"))
    };
    keep(
        |tree| faults(tree.files().filter(|(path, _)| holds_sql(path) && !is_locks(path)), locks),
        "row locks are taken in the service's store/locks.rs, in id order, so that two commands cannot wait for each other.",
        &[
            (
                "services/order/src/store/orders.rs",
                "const TAKE: &str = \"SELECT id FROM orders\\n FOR\\tUPDATE SKIP LOCKED\";",
            ),
            ("services/order/src/store/orders.rs", "orders::table.for_update().load(c)"),
        ],
    );
}

fn is_locks(path: &str) -> bool {
    path.ends_with("/src/store/locks.rs") || (path.starts_with("shared/") && path.ends_with("/src/locks.rs"))
}

#[test]
fn exceptions_to_a_lint_give_their_reason() {
    let silent = |_: &str, text: &str| {
        let code = Source::parse(text).code;
        let allowed = ["#[allow(", "#![allow("].iter().any(|attribute| code.contains(attribute));
        let unreasoned =
            code.split("[expect(").skip(1).any(|rest| !rest.split(")]").next().unwrap_or(rest).contains("reason"));
        (allowed || unreasoned).then(|| "silences a lint without a reason".to_owned())
    };
    keep(
        |tree| faults(tree.rust().filter(|(path, _)| !is_test(path)), silent),
        "write `#[expect(the_lint, reason = \"…\")]`, or better: write the code so that the lint is content.",
        &[
            ("shared/bus/src/relay.rs", "#[allow(dead_code)]\nfn f() {}"),
            ("shared/bus/src/relay.rs", "#[expect(clippy::panic)]\nfn f() {}"),
        ],
    );
}

#[test]
fn tests_neither_sleep_nor_get_ignored() {
    let naps = |_: &str, text: &str| {
        let code = Source::parse(text).code;
        let ways = ["thread::sleep", "time::sleep", "sleep_until", "#[ignore"];
        ways.into_iter().find(|way| mentions(&code, way)).map(|way| format!("has {way}"))
    };
    keep(
        |tree| faults(tree.rust().filter(|(path, _)| path.contains("tests/") && !path.starts_with("tests/src/")), naps),
        "wait for a condition with testkit::eventually; a test that cannot pass is repaired or deleted.",
        &[
            ("shared/bus/tests/relay.rs", "tokio::time::sleep(SECOND).await;"),
            ("tests/tests/journey.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
        ],
    );
}

#[test]
fn nothing_is_left_to_be_done() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let planted: Vec<(&str, String)> = marks.map(|mark| ("docs/operate.md", format!("text {mark}: later"))).into();
    let planted: Vec<(&str, &str)> = planted.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let left = |_: &str, text: &str| marks.iter().find(|mark| mentions(text, mark)).map(|mark| format!("says {mark}"));
    keep(
        |tree| faults(tree.files(), left),
        "do it now, or leave it out; what is planned is not written into the code.",
        &planted,
    );
}

#[test]
fn the_repository_speaks_of_the_product_only() {
    // Written in two parts, so that this file does not speak of them either.
    let words = [
        concat!("issue", " #"),
        concat!("this", " session"),
        concat!("previous", " session"),
        concat!("next", " session"),
        concat!("the", " brief"),
        concat!("sub", "agent"),
        concat!("cla", "ude"),
        concat!("chat", "gpt"),
        concat!("cop", "ilot"),
        concat!("language", " model"),
        concat!("acceptance", " criteria"),
        concat!("/work", "/"),
        concat!("as", " requested"),
    ];
    let planted: Vec<(&str, &str)> = words.iter().map(|word| ("docs/why.md", *word)).collect();
    let speaks = |_: &str, text: &str| {
        let text = text.to_lowercase();
        words.iter().find(|word| text.contains(**word)).map(|word| format!("speaks of \"{word}\""))
    };
    keep(
        |tree| faults(tree.files().filter(|(path, _)| *path != "Cargo.lock"), speaks),
        "say what the thing does and why; how it came to be written belongs in the history.",
        &planted,
    );
}

#[test]
fn every_problem_code_has_a_section() {
    let missing = |tree: &Tree| -> Faults {
        let sections: Vec<&str> = tree.text("docs/errors.md").map(headings).unwrap_or_default();
        let absent = ProblemCode::ALL.iter().map(|code| code.as_str()).filter(|code| !sections.contains(code));
        absent.map(|code| format!("docs/errors.md: has no section for `{code}`")).collect()
    };
    keep(
        missing,
        "add `## code` to docs/errors.md: when it is answered, and what the caller does about it.",
        &[("docs/errors.md", "# Errors\n\n## malformed\nSome text.\n")],
    );
}

#[test]
fn every_section_has_a_problem_code() {
    let invented = |tree: &Tree| -> Faults {
        let sections = tree.text("docs/errors.md").map(headings).unwrap_or_default();
        let known = |section: &&str| ProblemCode::ALL.iter().any(|code| code.as_str() == *section);
        let codes = sections.into_iter().filter(|section| section.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        codes.filter(|code| !known(code)).map(|code| format!("docs/errors.md: `{code}` is no code")).collect()
    };
    keep(
        invented,
        "remove the section, or add the code to contracts::ProblemCode.",
        &[("docs/errors.md", "## no_such_code\n")],
    );
}

/// The headings of a Markdown text below its title, without backticks.
fn headings(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("##")).map(|line| line.trim_matches(['#', '`', ' '])).collect()
}
