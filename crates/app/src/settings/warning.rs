//! A setting that works and weakens the service. `serve` logs it at the start, `config check` and
//! `doctor` print it with what to do.

use std::borrow::Cow;
use std::fmt;

/// A weak setting: the problem, starting with the setting's name, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) what: Cow<'static, str>,
    pub(crate) advice: Cow<'static, str>,
}

impl Warning {
    /// What to do about a file of secrets that every user of the machine can read.
    pub(crate) const CHMOD: &'static str = "chmod 600 that file, and have the user of the service own it";

    /// Creates a warning from the problem and the advice. Neither may hold a secret.
    pub(super) fn new(what: impl Into<Cow<'static, str>>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

/// A value that is too weak for people who really sign in.
impl From<&'static str> for Warning {
    fn from(what: &'static str) -> Self {
        Self::new(what, "choose a stronger value")
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.advice)
    }
}
