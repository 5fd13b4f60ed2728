//! One service and what each person has. Runs the real use cases over the in-memory store. Each step
//! has its own seed, so that no random value repeats.

use super::doubles::{ContextBlocklist, CountingNotifier, PlainAuthenticator, PlainTokens};
use super::steps::{Person, State};
use crate::accounts::passkeys_off;
use chrono::{DateTime, TimeDelta};
use portcullis_domain::login::{EntryPolicy, Owner, StepUpPolicy};
use portcullis_domain::mail::{MailContent, Occasion, RenderedMail};
use portcullis_domain::registration::{EmailAddress, NewPassword, Password, PasswordPolicy};
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::TokenLifetimes;
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{MailRenderer, Mailer, MailerError, RenderError, Store};
use portcullis_testkit::{FixedClock, PlainHasher, PlainSealer, PlainTotp, SeededEntropy};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::{Gate, LogIn, LoggedIn, OwnerProof, PasswordLogin, Reauthentication};
use portcullis_usecases::mail::{DeliverMail, DeliveryOutcome, Links, Notices, Outbox, RequestLink};
use portcullis_usecases::mfa::{SecondFactor, StepUp};
use portcullis_usecases::recovery::{ChangePassword, PasswordChange, PasswordReset, ResetPassword};
use portcullis_usecases::registration::{PasswordScreening, Register, Registration};
use portcullis_usecases::sessions::BeginSession;
use portcullis_usecases::tokens::{Authenticate, Authenticated, TokenFactory};
use portcullis_usecases::verification::{
    EmailChangeRequest, EmailVerification, EmailVerified, InspectToken, OneTimeTokens, RequestEmailChange, VerifyEmail,
};
use portcullis_usecases::{Caller, Counted};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Proof that a password belongs to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Nothing,
    Session,
    Device,
    Password(&'static str),
}

/// The service, for one step.
pub(super) struct House {
    store: Arc<dyn Store>,
    hasher: Arc<PlainHasher>,
    tokens: Arc<PlainTokens>,
    entropy: Arc<SeededEntropy>,
    one_time: Arc<OneTimeTokens>,
    devices: Arc<DeviceCookies>,
    outbox: Arc<Outbox>,
    limits: Arc<Limits>,
    clock: Arc<FixedClock>,
}

/// Stores email contents.
#[derive(Default)]
struct Pigeonhole(Mutex<Vec<MailContent>>);

impl MailRenderer for Pigeonhole {
    fn render(&self, message: &MailContent) -> Result<RenderedMail, RenderError> {
        self.0.lock().unwrap().push(message.clone());
        let (id, to, language, date) = (message.id.clone(), message.to.clone(), message.language, message.at);
        let (subject, text, html) = (String::new(), String::new(), String::new());
        Ok(RenderedMail { id, to, language, date, subject, text, html })
    }
}

impl Mailer for Pigeonhole {
    fn send(&self, _: &RenderedMail) -> Result<(), MailerError> {
        Ok(())
    }

    fn check(&self) -> Result<(), MailerError> {
        Ok(())
    }
}

fn on(device: Option<String>) -> Caller {
    Caller { device, ..Caller::default() }
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn new_password(text: &str) -> NewPassword {
    PasswordPolicy::default().validate(Password::new(text)).unwrap()
}

impl House {
    /// Creates the service for a step, on a store that may be intercepted.
    pub(super) fn at(step: u64, store: Arc<dyn Store>) -> Self {
        let (authenticator, entropy) = (Arc::new(PlainAuthenticator), Arc::new(SeededEntropy::new(step)));
        let seconds = i64::try_from(step).unwrap();
        let clock =
            Arc::new(FixedClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)));
        let one_time = OneTimeTokens { authenticator: authenticator.clone(), entropy: entropy.clone() };
        let one_time = Arc::new(one_time);
        let outbox = Outbox {
            tokens: one_time.clone(),
            notices: Notices::default(),
            observer: Arc::new(CountingNotifier::default()),
        };
        let hasher = PlainHasher::default();
        // Every hash gets a different salt.
        hasher.work.store(usize::try_from(step).unwrap() * 1_000, Ordering::SeqCst);
        Self {
            store,
            hasher: Arc::new(hasher),
            tokens: Arc::default(),
            devices: Arc::new(DeviceCookies { authenticator, entropy: entropy.clone(), clock: clock.clone() }),
            entropy,
            one_time,
            outbox: Arc::new(outbox),
            limits: Arc::new(Limits::off()),
            clock,
        }
    }

    fn screening() -> Arc<PasswordScreening> {
        Arc::new(PasswordScreening { blocklist: Some(Arc::new(ContextBlocklist)), product: "Portcullis".to_owned() })
    }

    fn owners(&self) -> Arc<Reauthentication> {
        let (store, hasher, devices) = (self.store.clone(), self.hasher.clone(), self.devices.clone());
        let (passkeys, clock) = (passkeys_off(self.clock.clone()), self.clock.clone());
        let step_up = Arc::new(StepUp { policy: StepUpPolicy::default(), passkeys, clock });
        Arc::new(Reauthentication { store, hasher, guesses: self.guesses(), devices, step_up })
    }

    fn guesses(&self) -> Arc<Guesses> {
        let (limits, devices, store) = (self.limits.clone(), self.devices.clone(), self.store.clone());
        Arc::new(Guesses { limits, devices, store })
    }

    pub(super) fn register(&self, email: &str, password: &str) {
        let verb = Register {
            store: self.store.clone(),
            hasher: self.hasher.clone(),
            screening: Self::screening(),
            outbox: self.outbox.clone(),
            limits: self.limits.clone(),
            clock: self.clock.clone(),
        };
        let input = Registration { email: address(email), password: new_password(password) };
        drop(verb.run(&input, &Caller::default()));
    }

    pub(super) fn log_in(&self, email: &str, password: &str, device: Option<String>) -> Option<LoggedIn> {
        let issuance = TokenFactory {
            issuer: self.tokens.clone(),
            entropy: self.entropy.clone(),
            lifetimes: TokenLifetimes::default(),
        };
        let beginning = BeginSession {
            store: self.store.clone(),
            issuance: Arc::new(issuance),
            sessions: SessionPolicy::default(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            always_claims: false,
            clock: self.clock.clone(),
        };
        let passkeys = passkeys_off(self.clock.clone());
        let second_factor = SecondFactor {
            store: self.store.clone(),
            sealer: Arc::new(PlainSealer),
            totp: Arc::new(PlainTotp),
            passkeys: passkeys.clone(),
            observer: Arc::new(()),
            limits: self.limits.clone(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            entropy: self.entropy.clone(),
            trust_for: None,
            clock: self.clock.clone(),
        };
        let verb = LogIn {
            second_factor: Arc::new(second_factor),
            store: self.store.clone(),
            hasher: self.hasher.clone(),
            guesses: self.guesses(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            gate: Arc::new(Gate { policy: EntryPolicy::default(), beginning, passkeys }),
        };
        let (email, password) = (address(email), Password::new(password));
        verb.run(&PasswordLogin { email, password, code: None, remember_device: false }, &on(device)).ok()
    }

    pub(super) fn authenticate(&self, access: &str) -> Option<Authenticated> {
        let (store, verifier, clock) = (self.store.clone(), self.tokens.clone(), self.clock.clone());
        Authenticate { store, verifier, sessions: SessionPolicy::default(), clock }.run(access).ok()
    }

    pub(super) fn resend(&self, email: &str) {
        self.request_link(Occasion::VerifyEmail, email);
    }

    pub(super) fn forgot(&self, email: &str) {
        self.request_link(Occasion::ResetPassword, email);
    }

    fn request_link(&self, occasion: Occasion, email: &str) {
        let (store, outbox) = (self.store.clone(), self.outbox.clone());
        let (limits, clock) = (self.limits.clone(), self.clock.clone());
        let verb = RequestLink { occasion, store, outbox, limits, clock };
        drop(verb.run(&address(email), &Caller::default()));
    }

    pub(super) fn change_email(&self, owner: Authenticated, password: &str, new_email: &str) {
        let (tokens, outbox, clock) = (self.one_time.clone(), self.outbox.clone(), self.clock.clone());
        let (password, new_email) = (OwnerProof::Password(Password::new(password)), address(new_email));
        let verb = RequestEmailChange { reauthentication: self.owners(), tokens, outbox, clock };
        drop(verb.run(&EmailChangeRequest { owner, password, new_email }, &Caller::default()));
    }

    /// Returns the new device cookie, or `None` if the password was not changed.
    pub(super) fn change_password(
        &self,
        owner: Authenticated,
        (current, new): (&str, &str),
        device: Option<String>,
    ) -> Option<String> {
        let (owners, screening) = (self.owners(), Self::screening());
        let (outbox, clock) = (self.outbox.clone(), self.clock.clone());
        let (current, new) = (OwnerProof::Password(Password::new(current)), new_password(new));
        let verb = ChangePassword { reauthentication: owners, screening, outbox, clock };
        let changed = verb.run(&PasswordChange { owner, current, new }, &on(device));
        changed.ok().map(|changed| changed.cookie)
    }

    /// Returns the device cookie, or `None` if the password was not set.
    pub(super) fn reset(&self, token: OneTimeToken, new: &str, device: Option<String>) -> Option<String> {
        let verb = ResetPassword {
            store: self.store.clone(),
            hasher: self.hasher.clone(),
            screening: Self::screening(),
            guesses: self.guesses(),
            tokens: self.one_time.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
        };
        let recovered = verb.run(&PasswordReset { token, new: new_password(new), remove_others: false }, &on(device));
        recovered.ok().map(|recovered| recovered.cookie)
    }

    pub(super) fn verify(&self, token: OneTimeToken, proof: Proof, person: &Person) -> Option<EmailVerified> {
        let verb = VerifyEmail {
            reauthentication: self.owners(),
            tokens: self.one_time.clone(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
        };
        let bearer = person.session.as_ref().filter(|_| proof == Proof::Session);
        let bearer = bearer.and_then(|access| self.authenticate(access));
        let device = person.cookie.clone().filter(|_| proof == Proof::Device);
        let password = if let Proof::Password(text) = proof { Some(Password::new(text)) } else { None };
        verb.run(EmailVerification { token, bearer, password }, &on(device)).ok()
    }

    pub(super) fn inspect(&self, token: &OneTimeToken) -> Option<Purpose> {
        let (store, tokens) = (self.store.clone(), self.one_time.clone());
        let verb = InspectToken { store, tokens, devices: self.devices.clone(), clock: self.clock.clone() };
        verb.run(token, None).unwrap().map(|inspected| inspected.purpose)
    }

    /// Returns whether an account recognizes a device cookie.
    pub(super) fn recognises(&self, cookie: &str, owner: &Owner) -> bool {
        self.devices.recognise(cookie, &owner.user.email, owner.credentials.hash()).is_some()
    }

    /// Delivers all queued emails to the mailboxes.
    pub(super) fn deliver(&self, state: &mut State) {
        let mailbox = Arc::new(Pigeonhole::default());
        let verb = DeliverMail {
            store: self.store.clone(),
            outbox: self.outbox.clone(),
            links: Links { verify: "{token}".to_owned(), reset: "{token}".to_owned() },
            renderer: mailbox.clone(),
            mailer: mailbox.clone(),
            limits: self.limits.clone(),
            observer: Arc::new(()),
            clock: self.clock.clone(),
        };
        while verb.deliver_next().unwrap() != DeliveryOutcome::Idle {}
        for message in mailbox.0.lock().unwrap().iter() {
            if let Some((link, _)) = &message.link {
                state.person_at(message.to.original()).mailbox.push(OneTimeToken::parse(link).unwrap());
            }
        }
    }
}
