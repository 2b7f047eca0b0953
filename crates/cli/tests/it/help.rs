//! `--help` and arguments.

use super::common::{expect_exit, finish, pleach, text};

#[test]
fn every_command_explains_itself() {
    for command in ["share", "get", "seed", "publish", "tracker", "inspect", "agent", "deliver", "report"] {
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
    for limit in ["many", "0"] {
        expect_exit(2, &["share", "x", "--upload-limit", limit]);
    }
    let said = text(&expect_exit(2, &["share", "x", "--upload-limit", "many"]).stderr);
    assert!(said.contains("no size such as 500kB"), "{said}");
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

#[cfg(unix)]
#[test]
fn who_reads_may_go_away() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.pleach");
    expect_exit(0, &["publish", "Cargo.toml", "-o", out.to_str().unwrap()]);
    for args in [&["inspect", out.to_str().unwrap()][..], &["tracker", "--print-config"], &["share", "nothing-there"]] {
        let mut command = pleach(args);
        // Both ends in one pipe whose reader is gone, as of `2>&1 | head -0`.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let expected = if args[0] == "share" { 3 } else { 0 };
        assert_eq!(finish(command).status.code(), Some(expected), "{args:?}");
    }
}
