//! The documentation of the settings is what the program itself prints.

use std::path::Path;
use std::process::Command;

#[test]
fn the_documentation_of_the_settings_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let printed = Command::new(env!("CARGO_BIN_EXE_onepool")).arg("settings").output().expect("onepool can be run");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).expect("the settings are text");
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    let differing = printed.lines().zip(written.lines()).find(|(printed, written)| printed != written);
    assert!(
        printed == written,
        "docs/configuration.md is not what `onepool settings` prints; the first difference: {differing:?}\n\
         write it anew from the repository's root: cargo run -p onepool -- settings > docs/configuration.md\n"
    );
}
