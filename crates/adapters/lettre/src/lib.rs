//! Hands mails over to a mail server by SMTP (RFC 5321), or writes them into a folder. Wording
//! them, keeping them and trying again are left to others.

mod address;
mod deadline;
mod dialogue;
mod encoded;
mod error;
mod folder;
mod reply;
mod session;
mod smtp;
mod url;

pub use address::{Sender, SenderError};
pub use folder::FolderMailer;
pub use smtp::{Greeting, SmtpMailer, TimeLimits, TrustRoots};
pub use url::{SmtpUrl, SmtpUrlError};

// Named to have its bundled C library.
use openssl_sys as _;

/// Returns the name and version of the TLS library that this process uses for mail and PostgreSQL,
/// such as `OpenSSL 4.0.3 29 Sep 2026`. With `OPENSSL_NO_VENDOR=1` it is the system's.
#[must_use]
pub fn tls_library() -> &'static str {
    openssl::version::version()
}
