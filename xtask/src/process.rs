//! Running other programs, and telling a person about it.
//!
//! Our own lines and the output of build tools go to standard error, so that the standard output of a command is its
//! result alone (`cargo xtask bench links --json > links.json`).

use std::{
    env,
    io::{self, ErrorKind, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Error, Result, bail};

pub(crate) fn say(topic: &str, text: &str) {
    eprintln!("{} {text}", paint("1;32", &format!("{topic:>10}")));
}

pub(crate) fn warn(topic: &str, text: &str) {
    eprintln!("{} {text}", paint("1;33", &format!("{topic:>10}")));
}

/// The error and its causes, one a line.
pub(crate) fn say_error(error: &Error) {
    eprintln!("{} {error}", paint("1;31", "error:"));
    for cause in error.chain().skip(1) {
        eprintln!("       {cause}");
    }
}

fn paint(style: &str, text: &str) -> String {
    if io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Runs a tool to its end; what it prints goes to standard error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_shown(command.stdout(Stdio::from(io::stderr())))
}

/// Runs a program whose standard output is what the person asked for.
pub(crate) fn run_shown(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, error))?;
    if !status.success() {
        bail!("`{}` failed ({status}); what it said is above", describe(command));
    }
    Ok(())
}

/// Runs a program quietly and returns its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, error))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", describe(command), output.status, complaint.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", describe(command)))
}

fn cannot_start(command: &Command, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::msg(format!("`{}` is not installed, or not on PATH", program_name(command))),
        _ => Error::new(error).context(format!("`{}` could not be started", describe(command))),
    }
}

fn program_name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// The command as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(program_name(command)).chain(args).collect::<Vec<_>>().join(" ")
}

/// The first of the named programs that is on PATH.
pub(crate) fn find_on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let candidates = names.iter().flat_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        env::split_paths(&path).map(move |folder| folder.join(&file)).collect::<Vec<_>>()
    });
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// The first dotted version number in a text such as `rustc 1.96.0 (ac68faa20 2026-05-25)` or `v20.20.2`.
pub(crate) fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        assert_eq!(version_in("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some((1, 96)));
        assert_eq!(version_in("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version_in("no number"), None);
    }

    #[test]
    fn a_missing_program_is_named_plainly() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program` is not installed, or not on PATH");
    }
}
