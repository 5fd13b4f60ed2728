//! Links in emails. They are built from the operator's settings only, never from a request.

use portcullis_domain::verification::{OneTimeToken, Purpose};

/// URLs of the pages that links open. Each contains [`Links::TOKEN_PLACEHOLDER`], which is replaced by
/// the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// Page that verifies, changes or restores an email address.
    pub verify: String,
    /// Page that sets a new password.
    pub reset: String,
}

impl Links {
    /// Placeholder for the token.
    pub const TOKEN_PLACEHOLDER: &'static str = "{token}";

    /// Returns the link for a token.
    #[must_use]
    pub fn url_for(&self, purpose: Purpose, token: &OneTimeToken) -> String {
        let page = match purpose {
            Purpose::ResetPassword => &self.reset,
            Purpose::VerifyEmail | Purpose::ChangeEmail | Purpose::UndoEmailChange => &self.verify,
        };
        page.replace(Self::TOKEN_PLACEHOLDER, &token.expose())
    }
}
