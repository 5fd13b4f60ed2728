//! The links that mails bear: made from what the operator set, and from nothing that a request
//! says.

use portcullis_domain::verification::{OneTimeToken, Purpose};

/// The pages that links open. Each has [`Links::TOKEN_PLACEHOLDER`] where the token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// Where an address is verified, changed, or given back.
    pub verify: String,
    /// Where a new password is set.
    pub reset: String,
}

impl Links {
    /// What stands for the token.
    pub const TOKEN_PLACEHOLDER: &'static str = "{token}";

    /// The link for a token.
    #[must_use]
    pub fn url_for(&self, purpose: Purpose, token: &OneTimeToken) -> String {
        let page = match purpose {
            Purpose::ResetPassword => &self.reset,
            Purpose::VerifyEmail | Purpose::ChangeEmail | Purpose::UndoEmailChange => &self.verify,
        };
        page.replace(Self::TOKEN_PLACEHOLDER, &token.expose())
    }
}
