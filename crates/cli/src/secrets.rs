//! Keys and passwords: made for who shares, found or asked for where something is opened.
//!
//! A password comes from `PLEACH_PASSWORD`, a file, or the person, in this order, and is shown nowhere. Neither is a key,
//! but in the link of the person who made it.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::Path;

use console::Term;
use pleach_core::content::{Argon2id, Manifest, Packed};
use pleach_native::store::plain;
use pleach_packing::{Key, Packing, PackingError, derivation};
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::args::{PackingArgs, UnlockArgs};
use crate::echo;
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::ui::Ui;

/// Where a password may stand in the environment.
const PASSWORD_VARIABLE: &str = "PLEACH_PASSWORD";
/// How often a person is asked for a password before it is given up.
const ATTEMPTS_MAX: u32 = 3;

/// What a new content is encrypted with.
#[derive(Debug)]
pub(crate) struct Secret {
    pub(crate) key: Key,
    /// How the key is made of a password; `None`: it is random, and goes into the link.
    pub(crate) password: Option<Argon2id>,
}

/// Makes the secret that the arguments ask for, if they do.
pub(crate) async fn make(args: &PackingArgs, ui: &Ui, interrupt: &mut Interrupt) -> Result<Option<Secret>> {
    if args.asks_password() {
        let password = match given_password(args.password_file.as_deref())? {
            Some(password) => password,
            None => choose_password(ui, interrupt).await?,
        };
        let how = Key::derivation(random()?)?;
        let key = key_of(password, how.clone()).await?;
        return Ok(Some(Secret { key, password: Some(how) }));
    }
    Ok(if args.encrypt { Some(Secret { key: Key::from_bytes(random()?), password: None }) } else { None })
}

/// Opens the index of packed content; `None` if it is not packed. `key` is that of the link, and a person is asked for a
/// password that is not given.
pub(crate) async fn open(
    manifest: &Manifest,
    key: Option<&str>,
    args: &UnlockArgs,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Result<Option<Packing>> {
    if let Some(packing) = open_unasked(manifest, key, args).await? {
        return Ok(Some(packing));
    }
    let Some(how) = derivation(manifest) else { return Ok(None) };
    for _ in 0..ATTEMPTS_MAX {
        let key = key_of(ask(ui, "password: ", interrupt).await?, how.clone()).await;
        match key.and_then(|key| Ok(Packing::open(manifest, Some(&key))?)) {
            Err(error) if error.message() == PackingError::PasswordWrong.to_string() => ui.say(error.message()),
            opened => return opened.map(Some),
        }
    }
    Err(PackingError::PasswordWrong.into())
}

/// The same, asking nobody: `None` also if there is a password to be asked for.
pub(crate) async fn open_unasked(manifest: &Manifest, key: Option<&str>, args: &UnlockArgs) -> Result<Option<Packing>> {
    let key = match (manifest.packed(), derivation(manifest)) {
        (None, _) => return Ok(None),
        (Some(Packed::Clear(_)), _) => None,
        (Some(_), Some(how)) => match given_password(args.password_file.as_deref())? {
            Some(password) => Some(key_of(password, how.clone()).await?),
            None => return Ok(None),
        },
        (Some(_), None) => args.key.as_deref().or(key).map(parse_key).transpose()?,
    };
    Ok(Some(Packing::open(manifest, key.as_ref())?))
}

/// A key as people copy it, with or without what it begins with in links.
fn parse_key(text: &str) -> Result<Key> {
    let text = text.trim();
    Ok(Key::parse(text.strip_prefix("k1.").unwrap_or(text))?)
}

/// On a thread that may be busy for a second.
async fn key_of(password: String, how: Argon2id) -> Result<Key> {
    let made = tokio::task::spawn_blocking(move || Key::of_password(&password, &how)).await;
    Ok(made.map_err(|error| Error::new(Code::Failure, error.to_string()))??)
}

/// From the environment or a file.
fn given_password(file: Option<&Path>) -> Result<Option<String>> {
    let Some(file) = file else { return Ok(std::env::var(PASSWORD_VARIABLE).ok().filter(|text| !text.is_empty())) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(Code::Storage, format!("cannot read the password in {}: {}", file.display(), plain(&error)))
    })?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(Some(password.to_owned())),
        _ => Err(Error::usage(format!("there is no password in the first line of {}", file.display()))),
    }
}

/// Asks twice: nobody sees what is typed.
async fn choose_password(ui: &Ui, interrupt: &mut Interrupt) -> Result<String> {
    let password = ask(ui, "password for those who get it: ", interrupt).await?;
    if ask(ui, "once more: ", interrupt).await? != password {
        return Err(Error::usage("the two passwords differ"));
    }
    Ok(password)
}

/// On a thread of its own, which is left to itself when the person interrupts.
async fn ask(ui: &Ui, prompt: &'static str, interrupt: &mut Interrupt) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::from(PackingError::PasswordMissing)
            .hint(format!("{PASSWORD_VARIABLE} in the environment or --password-file gives it")));
    }
    echo::remember();
    let terminal = Term::stderr();
    let refuse = |error: &dyn Display| Error::new(Code::Failure, format!("cannot ask for the password: {error}"));
    ui.beside_bars(|| terminal.write_str(prompt)).map_err(|error| refuse(&error))?;
    let asking = tokio::task::spawn_blocking(move || terminal.read_secure_line());
    tokio::select! {
        answer = asking => answer.map_err(|error| refuse(&error))?.map_err(|error| refuse(&error)),
        error = interrupt.error() => {
            echo::restore();
            // What is said next, by whomever, has a line of its own.
            eprintln!();
            Err(error)
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = OsRng.try_fill_bytes(&mut bytes);
    filled.map_err(|error| Error::new(Code::Failure, format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}
