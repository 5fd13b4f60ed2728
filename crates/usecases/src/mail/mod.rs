//! Emails to account owners: queueing and sending them.

mod deliver;
mod links;
mod outbox;
mod prepare;
mod queue;

pub use deliver::{DeliverMail, DeliveryOutcome};
pub use links::Links;
pub(crate) use outbox::enqueue_link_mail;
pub use outbox::{MailCause, Notices, Outbox};
pub use queue::{CountMail, ListMail, MailListed, MailRetried, RetryMail, RetryMailError};
