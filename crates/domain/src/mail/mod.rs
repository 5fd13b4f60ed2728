//! Mail to the owners of accounts: on which occasions, in which language, and when it is tried
//! again. Wording it, keeping it and handing it to a mail server is left to others.

mod client;
mod language;
mod message;
mod occasion;
mod retries;

pub use client::{ClientLabel, DeviceLabel};
pub use language::Language;
pub use message::{Mail, Message};
pub use occasion::{NewMail, Occasion};
pub use retries::{NextTry, RETRIES, Retries};
