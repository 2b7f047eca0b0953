//! One process, one link: `pleach share` on a sample file.

use std::{
    env,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    process::{self, find_on_path, say, warn},
    project::{Profile, Project},
};

const SAMPLE_SIZE: u64 = 256 << 20;

pub(crate) fn run(project: &Project, no_open: bool) -> Result<()> {
    let pleach = build::all(project, Profile::Release)?;
    let sample = sample_file(project)?;
    let mut command = share_command(project, &pleach, &sample);
    say("demo", &process::describe(&command));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("pleach does not start")?;
    let interrupts = forward_interrupts(child.id())?;
    pass_output_on(&mut child, |link| show(link, no_open))?;
    let status = child.wait().context("pleach was lost")?;
    if !status.success() && interrupts.load(Ordering::Relaxed) == 0 {
        bail!("`pleach share` failed ({status}); what it said is above");
    }
    Ok(())
}

/// The child gets a process group of its own, so that Ctrl-C reaches it once, through us, and not a second time from
/// the terminal.
fn share_command(project: &Project, pleach: &Path, sample: &Path) -> Command {
    let mut command = project.command(pleach);
    // Pages of this machine get lasting storage from their browser; by plain http from elsewhere they would not.
    command.arg("share").arg(sample).args(["--host", "127.0.0.1"]);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Ctrl-C asks the child to end, a second one insists. We end when it has.
fn forward_interrupts(child: u32) -> Result<Arc<AtomicU32>> {
    let interrupts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&interrupts);
    ctrlc::set_handler(move || {
        let signal = if count.fetch_add(1, Ordering::Relaxed) == 0 { "-INT" } else { "-KILL" };
        if cfg!(unix) {
            let sent = process::capture(Command::new("kill").args([signal, &child.to_string()]));
            sent.err().iter().for_each(|error| warn("demo", &error.to_string()));
        }
    })
    .context("Ctrl-C cannot be caught")?;
    Ok(interrupts)
}

/// Copies the child's output byte by byte as it comes (it may draw progress), and reports the first link in it.
fn pass_output_on(child: &mut Child, on_link: impl FnOnce(&str)) -> Result<()> {
    let mut output = child.stdout.take().context("the output of pleach is piped")?;
    let mut on_link = Some(on_link);
    let (mut chunk, mut seen) = ([0; 4096], String::new());
    loop {
        let length = output.read(&mut chunk).context("the output of pleach broke off")?;
        if length == 0 {
            return Ok(());
        }
        io::stdout().write_all(&chunk[..length]).and_then(|()| io::stdout().flush())?;
        if on_link.is_some() {
            seen.push_str(&String::from_utf8_lossy(&chunk[..length]));
            if let Some(link) = first_link(&seen)
                && let Some(on_link) = on_link.take()
            {
                on_link(link);
            }
        }
    }
}

/// The first link that is followed by white space, thus complete.
fn first_link(text: &str) -> Option<&str> {
    let start = text.find("http://").into_iter().chain(text.find("https://")).min()?;
    let end = text[start..].find(char::is_whitespace)?;
    Some(&text[start..start + end])
}

fn show(link: &str, no_open: bool) {
    match browser_command(link) {
        Some(mut browser) if !no_open => match process::capture(&mut browser) {
            Ok(_) => say("demo", "the link is open in your browser; a second tab takes from the first; Ctrl-C ends"),
            Err(error) => warn("demo", &format!("{error:#}; open {link} yourself")),
        },
        _ => say("demo", &format!("open {link} in a browser or two; Ctrl-C ends")),
    }
}

/// What opens a link on this system; nothing where no display is.
fn browser_command(link: &str) -> Option<Command> {
    let (program, args): (&str, &[&str]) = match env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => {
            let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
            find_on_path(&["xdg-open"]).filter(|_| display)?;
            ("xdg-open", &[])
        }
    };
    let mut command = Command::new(program);
    command.args(args).arg(link);
    Some(command)
}

/// The same bytes everywhere, which no compression makes smaller.
fn sample_file(project: &Project) -> Result<PathBuf> {
    let file = project.target.join("demo/sample.bin");
    if fs::metadata(&file).is_ok_and(|metadata| metadata.len() == SAMPLE_SIZE) {
        return Ok(file);
    }
    say("demo", &format!("making a sample file of {} MiB", SAMPLE_SIZE >> 20));
    fs::create_dir_all(project.target.join("demo"))
        .and_then(|()| write_sample(&file))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// SplitMix64, from zero.
fn write_sample(file: &Path) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut state = 0u64;
    for _ in 0..SAMPLE_SIZE / 8 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        writer.write_all(&(mixed ^ (mixed >> 31)).to_le_bytes())?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::first_link;

    #[test]
    fn a_link_counts_once_it_is_complete() {
        assert_eq!(first_link("sharing talk.mp4\n  http://127.0.0.1:7"), None);
        assert_eq!(first_link("at http://127.0.0.1:7/#k1.x\nand https://b/ "), Some("http://127.0.0.1:7/#k1.x"));
        assert_eq!(first_link("no link "), None);
    }
}
