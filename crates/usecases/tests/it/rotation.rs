//! What earlier keys signed is accepted after a rotation of the secret, also where it is looked up.

use crate::doubles::PlainAuthenticator;
use crate::mail_fixtures::token_in;
use crate::world::{World, at, login};
use chrono::TimeDelta;
use portcullis_domain::limits::Source;
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::verification::Purpose;
use portcullis_ports::{MacSigner, MailerError, signers};
use portcullis_usecases::limits::{DeviceCookies, Guess};
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::verification::OneTimeTokens;
use std::sync::Arc;

/// Signer with a new key, which knows the previous one.
struct Rotated;

impl MacSigner for Rotated {
    fn sign(&self, message: &[u8]) -> [u8; 32] {
        PlainAuthenticator.sign(&[b"new/", message].concat())
    }

    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool {
        signers(self).any(|signer| signer.sign(message) == *code)
    }

    fn previous(&self) -> Option<&dyn MacSigner> {
        Some(&PlainAuthenticator)
    }
}

impl World {
    /// Returns the same world with a new key.
    fn rotated(&self) -> Self {
        let (authenticator, entropy) = (Arc::new(Rotated), self.one_time.entropy.clone());
        let one_time = OneTimeTokens { authenticator: authenticator.clone(), entropy: entropy.clone() };
        let (tokens, observer) = (Arc::new(one_time), self.notifier.clone());
        let outbox = Outbox { tokens: tokens.clone(), notices: Notices::default(), observer };
        let devices = DeviceCookies { authenticator, entropy, clock: self.clock.clone() };
        Self { devices: Arc::new(devices), one_time: tokens, outbox: Arc::new(outbox), ..self.clone() }
    }

    fn links(&self) -> Vec<String> {
        let worded = self.mailbox.worded.lock().unwrap();
        worded.iter().filter_map(|message| Some(message.link.clone()?.0)).collect()
    }
}

#[test]
fn an_email_retried_under_a_new_key_has_the_same_link() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    world.mailbox.fail([MailerError::Unavailable("connection refused".to_owned())]);
    world.delivery().deliver_next().unwrap();
    let rotated = world.rotated();
    rotated.pass(TimeDelta::minutes(1));
    assert_eq!(rotated.deliver().len(), 1);
    let links = world.links();
    assert_eq!((links.len(), &links[0]), (2, &links[1]));
    rotated.verify(&token_in(&links[1])).unwrap();
}

#[test]
fn queued_email_with_a_link_of_the_previous_key_is_sent() {
    let world = World::new();
    let pair = world.verified_ada();
    world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    let rotated = world.rotated();
    rotated.confirm(&rotated.mailed()).unwrap();
    let later = World { one_time: world.one_time.clone(), outbox: world.outbox.clone(), ..rotated.clone() };
    assert!(later.deliver().is_empty(), "a key that is not listed");
    world.forgot("new@example.org").unwrap();
    let reset = rotated.mailed();
    assert_eq!(rotated.inspect(&reset), Some(Purpose::ResetPassword));
}

#[test]
fn a_rehash_under_a_new_key_keeps_links_of_the_previous_one() {
    let world = World::new();
    world.adopt("ada@example.org", "old:correct horse");
    world.forgot("ada@example.org").unwrap();
    let reset = world.mailed();
    world.forgot("ada@example.org").unwrap();
    let rotated = world.rotated();
    rotated.log_in("ada@example.org", "correct horse").unwrap();
    assert_eq!(rotated.inspect(&reset), Some(Purpose::ResetPassword));
    assert_eq!(rotated.deliver().len(), 1, "one that was queued before");
}

#[test]
fn a_source_stays_known_under_a_new_key() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let home = "192.0.2.1";
    world.verb().run(&login("ada@example.org", "correct horse"), &at(home)).unwrap();
    let knows = |world: &World, email: &str, address: &str| {
        let (email, source) = (EmailAddress::parse(email).unwrap(), Some(Source::from_ip(address.parse().unwrap())));
        world.guesses().knows_source(&Guess { email, device: None, source, is_call: false })
    };
    let rotated = world.rotated();
    assert!(knows(&rotated, "ada@example.org", home));
    assert!(!knows(&rotated, "ada@example.org", "192.0.2.2") && !knows(&rotated, "bob@example.org", home));
    rotated.verb().run(&login("ada@example.org", "correct horse"), &at("192.0.2.3")).unwrap();
    assert!(knows(&rotated, "ada@example.org", "192.0.2.3") && !knows(&world, "ada@example.org", "192.0.2.3"));
}
