//! Errors: kind, message, clause of the standard, and offset.

use std::borrow::Cow;
use std::sync::Arc;
use std::{fmt, io};

/// Cause of an error, which also decides whether a fallback decoder may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the image does.
    Truncated,
    /// The bytes break a rule of their format.
    Malformed,
    /// An attribute and the codestream contradict each other.
    Mismatch,
    /// Valid data that no codec decodes. Fallback decoders are tried only after this kind.
    Unsupported,
    /// The budget does not allow it.
    LimitExceeded,
    /// The caller's request or output cannot hold the result.
    Output,
    /// The caller cancelled the call.
    Interrupted,
    /// The system could not read.
    Io,
    /// The object is valid, but has no image.
    NoImage,
}

impl ErrorKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Truncated,
        Self::Malformed,
        Self::Mismatch,
        Self::Unsupported,
        Self::LimitExceeded,
        Self::Output,
        Self::Interrupted,
        Self::Io,
        Self::NoImage,
    ];

    /// Name of the kind: the attribute `kind` of Python exceptions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "Truncated",
            Self::Malformed => "Malformed",
            Self::Mismatch => "Mismatch",
            Self::Unsupported => "Unsupported",
            Self::LimitExceeded => "LimitExceeded",
            Self::Output => "Output",
            Self::Interrupted => "Interrupted",
            Self::Io => "Io",
            Self::NoImage => "NoImage",
        }
    }
}

/// A failure: kind, one lower-case line with found and expected values, clause, and byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    kind: ErrorKind,
    message: Cow<'static, str>,
    clause: &'static str,
    offset: Option<u64>,
    system: Option<SystemError>,
}

/// Why reading the source failed. Two are equal if kind and error number are.
#[derive(Debug, Clone)]
struct SystemError(Arc<io::Error>);

impl PartialEq for SystemError {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind() && self.0.raw_os_error() == other.0.raw_os_error()
    }
}

impl Eq for SystemError {}

/// The result of everything that reads bytes.
pub type Result<T, E = DecodeError> = std::result::Result<T, E>;

impl DecodeError {
    /// An error of `kind`; `clause` names the rule (for example `PS3.5 Annex G.5`), or is empty.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>, clause: &'static str) -> Self {
        Self { kind, message: message.into(), clause, offset: None, system: None }
    }

    /// Returns the error with an offset in bytes from the start of the frame.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    /// Returns the `Io` error of a read that failed.
    #[must_use]
    pub fn of_system(error: io::Error) -> Self {
        let mut failed = Self::new(ErrorKind::Io, error.to_string(), "");
        failed.system = Some(SystemError(Arc::new(error)));
        failed
    }

    /// Returns the error of the read that failed, for errors of kind `Io`.
    #[must_use]
    pub fn system_error(&self) -> Option<&io::Error> {
        self.system.as_ref().map(|error| &*error.0)
    }

    /// Returns the error number of the system, if it reported the error.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.system_error()?.raw_os_error()
    }

    /// Cause of the error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The clause that is violated, or an empty text.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        self.clause
    }

    /// Bytes from the start of the frame.
    #[must_use]
    pub const fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// Found and expected values, without clause and offset.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

macro_rules! shorthand {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(message: impl Into<Cow<'static, str>>, clause: &'static str) -> DecodeError {
            DecodeError::new(ErrorKind::$kind, message, clause)
        }
    )*};
}
shorthand! {
    truncated => Truncated;
    malformed => Malformed;
    mismatch => Mismatch;
    unsupported => Unsupported;
    limit_exceeded => LimitExceeded;
    output => Output;
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if !self.clause.is_empty() {
            write!(f, " ({})", self.clause)?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.system_error().map(|error| error as _)
    }
}
