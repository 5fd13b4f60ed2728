//! Emails to account owners: queueing and sending them.

mod deliver;
mod links;
mod outbox;
mod prepare;
mod queue;
mod request_link;

pub use deliver::{DeliverMail, DeliveryOutcome};
pub use links::Links;
pub use outbox::{MailCause, Notices, Outbox};
pub use queue::{CountMail, ListMail, MailListed, MailRetried, NoSuchMail, RetryMail};
pub use request_link::{LinkRequested, RequestLink, RequestLinkError};
