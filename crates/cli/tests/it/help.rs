//! `--help` and arguments.

use super::common::{expect_exit, text};

#[test]
fn every_command_explains_itself() {
    for command in ["share", "get", "seed", "tracker", "inspect"] {
        let help = text(&expect_exit(0, &[command, "--help"]).stdout);
        assert!(help.contains("Usage:"), "{command}: {help}");
        assert!(help.contains("--quiet"), "{command}: {help}");
        assert!(!help.contains("TODO"), "{command}: {help}");
    }
    let help = text(&expect_exit(0, &["--help"]).stdout);
    assert!(help.contains("Exit codes:") && help.contains("Examples:"), "{help}");
}

#[test]
fn flags_can_come_from_the_environment() {
    let help = text(&expect_exit(0, &["get", "--help"]).stdout);
    for name in ["PLEACH_OUT", "PLEACH_TIMEOUT", "PLEACH_LINGER", "PLEACH_FORCE", "PLEACH_SEED", "PLEACH_QUIET"] {
        assert!(help.contains(name), "{name} is missing in {help}");
    }
}

#[test]
fn wrong_arguments_have_a_code_of_their_own() {
    expect_exit(2, &[]);
    expect_exit(2, &["fetch"]);
    expect_exit(2, &["get"]);
    expect_exit(2, &["get", "https://example.org/no-link"]);
    expect_exit(2, &["share", "x", "--upload-limit", "many"]);
    expect_exit(2, &["get", "x", "--timeout", "-1"]);
}
