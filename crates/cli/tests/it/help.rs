//! `--help` and arguments.

use super::common::{expect_exit, text};

#[test]
fn every_command_explains_itself() {
    for command in ["share", "get", "seed", "publish", "tracker", "inspect"] {
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
    for segments in ["", "fixes", "fixed:0", "fixed:1MiB:2MiB", "ramp:1MiB:1KiB", "ramp:x"] {
        expect_exit(2, &["publish", "Cargo.toml", "-o", "-", "--segments", segments]);
    }
    for priority in ["", "0-10", "10=1", "0-10=256", "0-10=-1", "10-5=1", "99GiB-=1"] {
        expect_exit(2, &["publish", "Cargo.toml", "-o", "-", "--priority", priority]);
    }
    expect_exit(2, &["publish", "Cargo.toml", "-o", "-", "--active-from", "tomorrow"]);
    let backwards = ["--active-from", "2031-01-02T00:00:00Z", "--active-until", "2031-01-01T00:00:00Z"];
    expect_exit(2, &[&["publish", "Cargo.toml", "-o", "-"][..], &backwards].concat());
}
