//! Programs that run in a network, what they say, and their end: none outlives its [`Process`].

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cpu;

/// How often a wait looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(100);

/// A line that a process wrote on stdout.
#[derive(Debug)]
pub struct Said {
    /// Which process.
    pub who: usize,
    /// The line; `None` when there will be no more.
    pub line: Option<String>,
    /// When it was read.
    pub at: Instant,
}

/// Where all processes of a run are heard.
#[derive(Debug)]
pub struct Hearing<'a> {
    sender: Sender<Said>,
    receiver: Receiver<Said>,
    interrupted: &'a AtomicBool,
}

impl<'a> Hearing<'a> {
    /// Waits end with an error once `interrupted` is true.
    pub fn new(interrupted: &'a AtomicBool) -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver, interrupted }
    }

    /// The next line of anybody; `None` after so long without one.
    pub fn next(&self, wait: Duration) -> Result<Option<Said>> {
        let begin = Instant::now();
        loop {
            match self.receiver.recv_timeout(LOOK.min(wait)) {
                Ok(said) => return Ok(Some(said)),
                Err(RecvTimeoutError::Timeout) if begin.elapsed() >= wait => return Ok(None),
                Err(_) => {}
            }
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
        }
    }

    /// The next line of one of them; what others say meanwhile is passed over.
    pub fn line_of(&self, process: &Process, wait: Duration) -> Result<String> {
        let begin = Instant::now();
        while let Some(said) = self.next(wait.saturating_sub(begin.elapsed()))? {
            if said.who == process.who {
                return said.line.with_context(|| format!("{} has ended: {}", process.name, process.last_words()));
            }
        }
        bail!("{} says nothing", process.name)
    }
}

/// One program. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    who: usize,
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts it. What it says on stderr goes to `NAME.log` in the folder; on stdout, to `NAME.out` and the hearing.
    pub fn start(mut command: Command, name: &str, who: usize, folder: &Path, hearing: &Hearing<'_>) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PLEACH_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
        let lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let mut copy = File::create(folder.join(format!("{name}.out")))?;
        let sender = hearing.sender.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The copy is for people who look at it later.
                let _ = writeln!(copy, "{line}");
                let _ = sender.send(Said { who, line: Some(line), at: Instant::now() });
            }
            let _ = sender.send(Said { who, line: None, at: Instant::now() });
        });
        Ok(Self { name: name.to_owned(), who, child, log })
    }

    /// Writes a line to its stdin.
    pub fn write(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} does not listen", self.name))
    }

    /// Processor time so far; 0 of one that has ended.
    pub fn cpu_s(&self) -> f64 {
        cpu::process_s(self.child.id())
    }

    /// How long it had to wait for the processor so far.
    pub fn cpu_waited_s(&self) -> f64 {
        cpu::waited_s(self.child.id())
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // Fails if it has ended already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }

    /// The end of what it wrote on stderr.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
