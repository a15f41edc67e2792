//! An error as a person meets it: what went wrong, what to do about it, and whose doing it was.
//!
//! Where an error arises, its type implements [`Advice`]: the hint stands beside the message. [`Failure`] is what such an
//! error becomes where nobody tells errors apart any more.

mod others;

use std::error::Error;
use std::fmt;

pub use self::others::io_hint;

/// What work comes to where nobody tells errors apart any more.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What an error says beside its message.
pub trait Advice: Error + Send + Sync + 'static {
    /// What to do about it, where that is known.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Whose doing it is.
    fn kind(&self) -> FailureKind {
        FailureKind::Failed
    }

    /// What was warned of before it came to this.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// Whose doing a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// What was asked for cannot be: wrong arguments, a wrong configuration.
    Usage,
    /// Something is not there, or cannot be read or written: then nothing is known about it.
    Missing,
    /// The work failed, or what is there was read and is wrong.
    Failed,
}

/// An error of any type, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    /// What lies behind it, the nearest first.
    causes: Vec<String>,
    hint: Option<String>,
    kind: FailureKind,
    warnings: Vec<String>,
}

impl Failure {
    /// Work that failed.
    pub fn new(message: impl Into<String>) -> Self {
        let (message, kind) = (message.into(), FailureKind::Failed);
        Self { message, causes: Vec::new(), hint: None, kind, warnings: Vec::new() }
    }

    /// Something that cannot be asked for, and what could be.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: FailureKind::Usage, ..Self::new(message) }.with_hint(hint)
    }

    /// Something that is not there, or cannot be read.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Missing, ..Self::new(message) }
    }

    /// The same with another hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The failure of a larger work, which this one is the cause of.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, message.into()));
        self
    }

    /// What failed, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What lies behind it, the nearest first, but for what the message before says already.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        let before = std::iter::once(&self.message).chain(&self.causes);
        self.causes.iter().zip(before).filter(|(cause, said)| !said.contains(*cause)).map(|(cause, _)| cause.as_str())
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whose doing it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What was warned of before it came to this.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The message and its causes on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl<E: Advice> From<E> for Failure {
    fn from(error: E) -> Self {
        let (mut causes, mut hint, mut cause) = (Vec::new(), error.hint(), error.source());
        while let Some(deeper) = cause {
            causes.push(deeper.to_string());
            // Libraries wrap what the system says in errors of their own, which know no hint.
            hint = hint.or_else(|| deeper.downcast_ref::<std::io::Error>().and_then(Advice::hint));
            cause = deeper.source();
        }
        let (kind, warnings) = (error.kind(), error.warnings().to_vec());
        Self { message: error.to_string(), causes, hint, kind, warnings }
    }
}

/// Says what a failure was a failure of.
pub trait Context<T> {
    /// The result with a failure of that larger work.
    ///
    /// # Errors
    /// As before.
    fn context(self, message: impl Into<String>) -> Result<T, Failure>;

    /// [`context`](Self::context) with a message that is made only for a failure.
    ///
    /// # Errors
    /// As before.
    fn with_context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| error.into().context(message))
    }

    fn with_context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T, Failure> {
        self.map_err(|error| error.into().context(message()))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read x: {0}")]
    struct Quoting(#[source] io::Error);

    impl Advice for Quoting {
        fn hint(&self) -> Option<String> {
            self.0.hint()
        }
    }

    #[test]
    fn a_cause_that_the_message_quotes_is_told_once_and_its_hint_kept() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let failure = Failure::from(Quoting(denied()));
        assert_eq!(failure.to_string(), format!("cannot read x: {}", denied()));
        assert_eq!(failure.hint(), Some("check who owns the file and its mode"));
        let failure = failure.context("no run");
        assert_eq!(failure.causes().count(), 1);
        assert_eq!(failure.to_string(), format!("no run: cannot read x: {}", denied()));
        assert_eq!(failure.kind(), FailureKind::Failed);
        let missing = Err::<(), _>(denied()).context("x").expect_err("an error");
        assert_eq!((missing.kind(), missing.message()), (FailureKind::Missing, "x"));
    }
}
