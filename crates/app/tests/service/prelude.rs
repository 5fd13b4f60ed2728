//! Names that most tests use.

pub(crate) use crate::harness::accounts::{Account, Pair, credentials, fresh_email};
pub(crate) use crate::harness::calls::{Call, Reply, members};
pub(crate) use crate::harness::databases::{Backend, Database};
pub(crate) use crate::harness::metrics::Metrics;
pub(crate) use crate::harness::mfa::Enrolled;
pub(crate) use crate::harness::services::{SECRET, Service, ServiceBuilder, random_secret};
pub(crate) use crate::harness::steps::{Shared, at_once, count};
pub(crate) use crate::harness::timing::{KillOnDrop, eventually, fresh_folder, timed, unique, unix_now};
pub(crate) use crate::harness::{Fixture, jose, on_both_databases};
pub(crate) use serde_json::{Value, json};
