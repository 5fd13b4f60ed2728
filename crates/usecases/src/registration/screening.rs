//! What new passwords are held against, beyond their length.

use portcullis_domain::registration::{EmailAddress, NewPassword, Password};
use portcullis_ports::PasswordBlocklist;
use std::sync::Arc;

/// What refuses passwords that many people have, or that their context suggests.
pub struct Screening {
    /// What knows them, if anything does.
    pub blocklist: Option<Arc<dyn PasswordBlocklist>>,
    /// What the service is called: a word that a guesser tries.
    pub product: String,
}

impl Screening {
    /// Whether a guesser would try the password soon, for an account with that address.
    #[must_use]
    pub fn is_common(&self, password: &NewPassword, email: &EmailAddress) -> bool {
        is_common(self.blocklist.as_deref(), &self.product, email, password.password())
    }
}

/// Whether a password is one that many people choose, or that anybody who knows the account would
/// try.
pub(crate) fn is_common(
    blocklist: Option<&dyn PasswordBlocklist>,
    product: &str,
    email: &EmailAddress,
    password: &Password,
) -> bool {
    let email = email.canonical();
    let local = email.split('@').next().unwrap_or_default();
    blocklist.is_some_and(|list| list.contains(password, &["portcullis", product, email, local]))
}
