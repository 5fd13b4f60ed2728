//! Warnings about valid settings that weaken the service. `serve` logs them at the start; `config check`
//! and `doctor` print them with a fix.

use std::borrow::Cow;
use std::fmt;

/// Warning about a weak setting: the problem, starting with the setting's name, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) what: Cow<'static, str>,
    pub(crate) advice: Cow<'static, str>,
}

impl Warning {
    /// Fix for a world-readable file with secrets.
    pub(crate) const CHMOD: &'static str = "chmod 600 the file, and make the user of the service its owner";

    /// Fix for a value that is too weak for production.
    pub(super) const STRONGER: &'static str = "choose a stronger value";

    /// Creates a warning from the problem and the fix. Neither may contain a secret.
    pub(super) fn new(what: impl Into<Cow<'static, str>>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

/// Creates a warning about a value that is too weak for production.
impl From<&'static str> for Warning {
    fn from(what: &'static str) -> Self {
        Self::new(what, Self::STRONGER)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.advice)
    }
}
