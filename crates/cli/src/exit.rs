//! How the program ends: an exit code, a sentence for people, and what they may do about it.

use std::io::Write as _;
use std::process::ExitCode;

use pleach_core::content::{LinkError, ManifestError};
use pleach_core::peer::Failure;
use pleach_native::http::HttpError;
use pleach_native::node::StartError;
use pleach_native::store::StoreError;
use pleach_packing::PackingError;
use pleach_tracker::Error as ServerError;

/// Exit codes; told in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Anything that has no code of its own.
    Failure = 1,
    /// Wrong arguments; clap uses the same.
    Usage = 2,
    /// The link leads nowhere, or nobody had it in time.
    NotFound = 3,
    /// The disk: full, unwritable, in the way.
    Storage = 4,
    /// The shared file is not what it was.
    Changed = 5,
    /// The content is encrypted, and the key or password is missing or wrong.
    Locked = 6,
    /// Some machines of a fleet did not get a delivery.
    Undelivered = 7,
    /// Ctrl-C.
    Interrupted = 130,
    /// The system asked to end (SIGTERM).
    Terminated = 143,
}

/// Why the program does not do what it was asked.
#[derive(Debug)]
pub(crate) struct Error {
    code: Code,
    message: String,
    hint: Option<String>,
}

/// What every command returns.
pub(crate) type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Adds what can be done.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Tells it on stderr. An interruption needs no words: who caused it knows.
    pub(crate) fn report(&self) {
        if matches!(self.code, Code::Interrupted | Code::Terminated) && self.message.is_empty() {
            return;
        }
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "pleach: {}", self.message);
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "        {hint}");
        }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Exists { .. } => {
                Self::new(Code::Storage, message).hint("--force replaces it, -o NAME writes elsewhere")
            }
            StoreError::OtherContent { .. } | StoreError::OtherFiles { .. } => {
                Self::new(Code::Storage, message).hint("--force begins anew, -o NAME writes elsewhere")
            }
            StoreError::Changed { .. } => Self::new(Code::Changed, message),
            _ => Self::new(Code::Storage, message),
        }
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let not_found = error.is_temporary() || matches!(error, HttpError::NotFound { .. });
        Self::new(if not_found { Code::NotFound } else { Code::Failure }, error.to_string())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Store(_) => Code::Storage,
            Failure::ContentChanged { .. } => Code::Changed,
            Failure::Refused(_) => Code::Failure,
        };
        Self::new(code, failure.to_string())
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::new(Code::Failure, error.to_string())
    }
}

impl From<PackingError> for Error {
    fn from(error: PackingError) -> Self {
        let code = match error {
            PackingError::KeyMissing
            | PackingError::KeyDamaged
            | PackingError::KeyWrong
            | PackingError::PasswordMissing
            | PackingError::PasswordWrong => Code::Locked,
            PackingError::PasswordLength => Code::Usage,
            PackingError::Changed => Code::Changed,
            _ => Code::Failure,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        let is_taken =
            matches!(&error, ServerError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse);
        let error = Self::new(Code::Failure, error.to_string());
        if is_taken { error.hint("another program has this port; with port 0 any free one is taken") } else { error }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        Self::new(Code::Failure, error.to_string())
    }
}
