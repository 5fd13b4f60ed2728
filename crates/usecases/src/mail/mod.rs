//! Mail to the owners of accounts: ordering it, and sending it.

mod arm;
mod deliver;
mod links;
mod post;
mod queue;

pub use deliver::{DeliverMail, Delivery};
pub use links::Links;
pub(crate) use post::ask_by_mail;
pub use post::{Cause, Notices, Post};
pub use queue::{CountMail, ListMail, MailListed, MailRetried, RetryMail, RetryMailError};
