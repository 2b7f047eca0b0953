//! Prints what a bare data channel and a link carry between two ends in this process.
//!
//! ```text
//! cargo run --release -p pleach-native --example blast -- [message KiB] [total MiB] [rounds]
//! ```

use pleach_native::link::{
    LinkConfig,
    bare::{self, Blast, Report},
};

#[tokio::main]
async fn main() -> Result<(), String> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<usize>().map_err(|error| error.to_string()));
    let message_kib = numbers.next().unwrap_or(Ok(64))?;
    let total_mib = numbers.next().unwrap_or(Ok(512))?;
    let rounds = numbers.next().unwrap_or(Ok(3))?;
    let config = LinkConfig::default();
    let blast = Blast { message_bytes: message_kib << 10, total_bytes: total_mib << 20 };
    println!("{message_kib} KiB messages, {total_mib} MiB");
    for _ in 0..rounds {
        let bare = bare::both(&config, blast).await?;
        let links = bare::links(&config, blast).await?;
        println!(
            "bare {}   link {}   ratio {:.2}",
            show(bare),
            show(links),
            links.bytes_per_second() / bare.bytes_per_second()
        );
    }
    Ok(())
}

fn show(report: Report) -> String {
    format!("{:6.1} MB/s, set-up {:4} ms", report.bytes_per_second() / 1e6, report.setup.as_millis())
}
