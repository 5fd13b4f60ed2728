//! What new passwords are held against, beyond their length.

use portcullis_domain::registration::{EmailAddress, NewPassword};
use portcullis_ports::PasswordBlocklist;
use std::sync::Arc;

/// What refuses passwords that many people have, or that their context suggests.
pub struct PasswordScreening {
    /// What knows them, if anything does.
    pub blocklist: Option<Arc<dyn PasswordBlocklist>>,
    /// What the service is called: a word that a guesser tries.
    pub product: String,
}

impl PasswordScreening {
    /// Whether the password is one that many people choose, or that anybody who knows the account
    /// with that address would try.
    #[must_use]
    pub fn is_common(&self, password: &NewPassword, email: &EmailAddress) -> bool {
        let Some(list) = &self.blocklist else { return false };
        let email = email.canonical();
        let local = email.split('@').next().unwrap_or_default();
        list.contains(password.password(), &["portcullis", &self.product, email, local])
    }
}
