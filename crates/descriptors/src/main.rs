//! `pleach-descriptors`: makes a picture into a content of descriptors, and a picture of some of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pleach_descriptors::{DESCRIPTORS, Picture, decode, descriptors_of, encode};

/// Pictures in descriptors, any of which show it: the more, the finer.
#[derive(Parser)]
#[command(after_help = "\
Example:
  pleach-descriptors encode photo.ppm --count 4 -o photo.descriptors
  pleach share photo.descriptors --descriptors 4
  pleach get LINK -o photo.descriptors --json       says when each is there
  pleach-descriptors decode photo.descriptors --count 4 --with 1,3 -o half.ppm")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make a PPM picture (P6) into a file of descriptors, for `pleach share --descriptors N`
    Encode {
        /// The picture
        picture: PathBuf,
        /// How many descriptors: 2 to 8
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = count)]
        count: usize,
        /// The file to write
        #[arg(short, long)]
        out: PathBuf,
    },
    /// Make a picture out of some descriptors
    Decode {
        /// The file of all, or what there is of it; with --count 1 one descriptor a file
        files: Vec<PathBuf>,
        /// How many descriptors the file was made of; 1: each file is one
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: usize,
        /// Which of them to use, from 0; all by default
        #[arg(long, value_name = "INDEX", value_delimiter = ',')]
        with: Vec<usize>,
        /// The picture to write
        #[arg(short, long)]
        out: PathBuf,
    },
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| DESCRIPTORS.contains(count));
    count.ok_or_else(|| format!("{} to {} descriptors can be made", DESCRIPTORS.start(), DESCRIPTORS.end()))
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(said) => {
            eprintln!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<String, String> {
    match task {
        Task::Encode { picture, count, out } => {
            let read =
                Picture::from_ppm(&read(&picture)?).map_err(|error| format!("{}: {error}", picture.display()))?;
            let content = encode(&read, count);
            write(&out, &content)?;
            let more = 100.0 * (content.len() as f64 / read.rgb().len() as f64 - 1.0);
            Ok(format!("{count} descriptors in {}, {more:.0} % more than the picture", out.display()))
        }
        Task::Decode { files, count, with, out } => {
            let mut descriptors = Vec::new();
            for file in &files {
                let bytes = read(file)?;
                descriptors.extend(if count > 1 { descriptors_of(&bytes, count) } else { vec![bytes] });
            }
            let is_chosen = |index: usize| with.is_empty() || with.contains(&index);
            let chosen = (0..).zip(&descriptors).filter(|(index, _)| is_chosen(*index));
            let chosen: Vec<&[u8]> = chosen.map(|(_, bytes)| &bytes[..]).collect();
            let decoded = decode(&chosen).map_err(|error| error.to_string())?;
            write(&out, &decoded.picture.to_ppm())?;
            Ok(format!("{}: {} of {} layers", out.display(), decoded.layers, decoded.of))
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(file, bytes).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
