//! A swarm of real processes over shaped lines, and what it came to. `cargo xtask bench swarm` builds what this needs and
//! runs it.

#[cfg(target_os = "linux")]
mod bench;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match bench::main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: shaped networks are made of Linux's namespaces; this system has none");
    std::process::exit(1);
}
