//! Sends emails to a mail server by SMTP (RFC 5321), or writes them to a folder.

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

pub use self::url::{SmtpUrl, SmtpUrlError};
pub use address::{Sender, SenderError};
pub use folder::FolderMailer;
pub use smtp::{Greeting, SmtpMailer, TimeLimits, TrustRoots};

// Imported only so that its feature `vendored` bundles the C library.
use openssl_sys as _;

/// Returns the name and version of the TLS library used for email and PostgreSQL, such as `OpenSSL
/// 4.0.3 29 Sep 2026`. With `OPENSSL_NO_VENDOR=1` it is the system's.
#[must_use]
pub fn tls_library() -> &'static str {
    openssl::version::version()
}
