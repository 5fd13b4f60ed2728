//! Check of new passwords, beyond their length.

use portcullis_domain::registration::{EmailAddress, NewPassword};
use portcullis_ports::PasswordBlocklist;
use std::sync::Arc;

/// Refuses passwords that are common, or built from the email or the name of the service.
pub struct PasswordScreening {
    /// List of common passwords. `None` disables the check.
    pub blocklist: Option<Arc<dyn PasswordBlocklist>>,
    /// Name of the service, which attackers try in guesses.
    pub product: String,
}

impl PasswordScreening {
    /// Returns whether the password is common, or derived from the email or the name of the service.
    #[must_use]
    pub fn is_common(&self, password: &NewPassword, email: &EmailAddress) -> bool {
        let Some(list) = &self.blocklist else { return false };
        let email = email.canonical();
        let local = email.split('@').next().unwrap_or_default();
        list.contains(password.password(), &["portcullis", &self.product, email, local])
    }
}
