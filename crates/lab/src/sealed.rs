//! A place of our own: network, mounts and processes that nobody else sees and that vanish with us.
//!
//! `unshare` of util-linux runs a program again in new namespaces, as their root. When that program ends, however it
//! does, the kernel kills what it started and takes the networks down: there is nothing to clean up and nothing that
//! could be left behind. Where the system lets ordinary users make user namespaces it needs no root.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Set for the program that runs inside.
const INSIDE: &str = "PLEACH_LAB_INSIDE";

/// New networks, mounts and processes; when `unshare` is killed, so is what it started.
const UNSHARE: [&str; 7] =
    ["--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];

/// What `ip netns` needs of the file system is made anew, in the mounts of our own.
const PREPARE: &str = "mount -t tmpfs none /run && mkdir -p /run/netns && exec \"$0\" \"$@\"";

/// Whether this process runs inside.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The command that runs a program inside.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(UNSHARE).args(["sh", "-c", PREPARE]).arg(program).env(INSIDE, "1");
    command
}

/// Whether this system lets us; if not, why, in a sentence.
pub fn check() -> Result<()> {
    let script = "mount -t tmpfs none /run && mkdir -p /run/netns && ip netns add probe && \
                  ip link add p0 type veth peer name line netns probe && tc qdisc add dev p0 root tbf rate 1mbit burst 16k latency 1s";
    let output = Command::new("unshare").args(UNSHARE).args(["sh", "-c", script]).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.lines().next().unwrap_or("no reason was told");
            bail!("this system lets us make no shaped networks (as root, with iproute2, it would): {reason}")
        }
        Err(error) => bail!("`unshare` of util-linux does not start: {error}"),
    }
}
