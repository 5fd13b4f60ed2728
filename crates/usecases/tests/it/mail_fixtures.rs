//! Fixtures for accounts and emails: a readable mailbox, a mail server that can fail, and short calls
//! of the use cases.

use crate::world::{World, at, speaking, with};
use portcullis_domain::mail::{Language, MailContent, Occasion, RenderedMail};
use portcullis_domain::registration::{EmailAddress, NewPassword, Password, PasswordPolicy};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{MailRenderer, Mailer, MailerError, RenderError, Store};
use portcullis_testkit::{MemoryStore, Watched};
use portcullis_usecases::login::{OwnerProof, Reauthentication, ReauthenticationError};
use portcullis_usecases::mail::{
    DeliverMail, DeliveryOutcome, Links, ListMail, Notices, Outbox, RequestLink, RequestLinkError, RetryMail,
};
use portcullis_usecases::recovery::{
    ChangePassword, ChangePasswordError, PasswordChange, PasswordChanged, PasswordReset, PasswordWasReset,
    ResetPassword, ResetPasswordError,
};
use portcullis_usecases::registration::{DeleteAccount, DeleteOwnAccount, OwnAccountDeletion};
use portcullis_usecases::tokens::{Authenticated, TokenPair};
use portcullis_usecases::verification::{
    EmailChangeRequest, EmailVerification, EmailVerified, InspectToken, Inspected, RequestEmailChange, VerifyEmail,
    VerifyEmailError,
};
use portcullis_usecases::{Caller, Counted};
use std::collections::VecDeque;
use std::sync::{Arc, Barrier, Mutex};

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Renders emails as plain values and stores those that are sent.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// Rendered emails, sent or not.
    pub(crate) worded: Mutex<Vec<MailContent>>,
    pub(crate) sent: Mutex<Vec<RenderedMail>>,
    /// Outcomes of the next sends.
    pub(crate) failures: Mutex<VecDeque<MailerError>>,
    pub(crate) broken: Mutex<bool>,
    /// Hook that runs during a send.
    pub(crate) meanwhile: Mutex<Option<Hook>>,
}

impl MailRenderer for Mailbox {
    fn render(&self, message: &MailContent) -> Result<RenderedMail, RenderError> {
        if *self.broken.lock().unwrap() {
            return Err(RenderError("line 7".to_owned()));
        }
        self.worded.lock().unwrap().push(message.clone());
        Ok(RenderedMail {
            id: message.id.clone(),
            to: message.to.clone(),
            language: message.language,
            date: message.at,
            subject: message.occasion.as_str().to_owned(),
            text: message.link.as_ref().map_or_else(String::new, |(link, _)| link.clone()),
            html: String::new(),
        })
    }
}

impl Mailer for Mailbox {
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError> {
        let happens = self.meanwhile.lock().unwrap().clone();
        if let Some(happens) = happens {
            happens();
        }
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        self.sent.lock().unwrap().push(mail.clone());
        Ok(())
    }

    fn check(&self) -> Result<(), MailerError> {
        self.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

impl Mailbox {
    pub(crate) fn fail(&self, failures: impl IntoIterator<Item = MailerError>) {
        self.failures.lock().unwrap().extend(failures);
    }

    /// Returns the occasions and recipients of emails sent since the last call.
    pub(crate) fn empty(&self) -> Vec<(String, String)> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.into_iter().map(|mail| (mail.subject, mail.to.original().to_owned())).collect()
    }
}

/// Creates an expected entry of [`World::deliver`].
pub(crate) fn told(occasion: &str, to: &str) -> (String, String) {
    (occasion.to_owned(), to.to_owned())
}

/// Returns the token of a link.
pub(crate) fn token_in(link: &str) -> OneTimeToken {
    OneTimeToken::parse(link.rsplit('=').next().unwrap()).unwrap()
}

pub(crate) fn new_password(text: &str) -> NewPassword {
    PasswordPolicy::default().validate(Password::new(text)).unwrap()
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

impl World {
    /// Returns a world with only those notices enabled.
    pub(crate) fn noticing(self, notices: &[Occasion]) -> Self {
        let (tokens, observer) = (self.one_time.clone(), self.notifier.clone());
        Self { outbox: Arc::new(Outbox { tokens, notices: Notices::only(notices), observer }), ..self }
    }

    pub(crate) fn delivery(&self) -> DeliverMail {
        self.delivery_on(self.store.clone())
    }

    pub(crate) fn delivery_on(&self, store: Arc<dyn Store>) -> DeliverMail {
        DeliverMail {
            store,
            outbox: self.outbox.clone(),
            links: Links { verify: "https://x.org/v?t={token}".into(), reset: "https://x.org/r?t={token}".into() },
            renderer: self.mailbox.clone(),
            mailer: self.mailbox.clone(),
            limits: self.limits.clone(),
            observer: Arc::new(()),
            clock: self.clock.clone(),
        }
    }

    /// Sends all due emails and returns those that were sent.
    pub(crate) fn deliver(&self) -> Vec<(String, String)> {
        let verb = self.delivery();
        while verb.deliver_next().unwrap() != DeliveryOutcome::Idle {}
        self.mailbox.empty()
    }

    /// Sends all due emails and returns the token of the last one.
    pub(crate) fn mailed(&self) -> OneTimeToken {
        let verb = self.delivery();
        while verb.deliver_next().unwrap() != DeliveryOutcome::Idle {}
        token_in(&self.mailbox.sent.lock().unwrap().pop().unwrap().text)
    }

    /// Registers Ada, verifies her email and logs her in.
    pub(crate) fn verified_ada(&self) -> TokenPair {
        self.register("ada@example.org", "correct horse").unwrap();
        self.confirm(&self.mailed()).unwrap();
        self.mailbox.empty();
        self.log_in("ada@example.org", "correct horse").unwrap().pair
    }

    pub(crate) fn owners(&self) -> Arc<Reauthentication> {
        self.owners_on(self.store.clone())
    }

    pub(crate) fn owners_on(&self, store: Arc<dyn Store>) -> Arc<Reauthentication> {
        let (hasher, guesses, devices) = (self.hasher.clone(), self.guesses(), self.devices.clone());
        Arc::new(Reauthentication { store, hasher, guesses, devices, step_up: self.step_up() })
    }

    pub(crate) fn change_password(
        &self,
        pair: &TokenPair,
        current: &str,
        new: &str,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        self.changing(self.authenticate(&pair.access_token).unwrap(), current, new)(self)
    }

    /// Returns a password change to be run.
    pub(crate) fn changing(
        &self,
        owner: Authenticated,
        current: &str,
        new: &str,
    ) -> impl FnOnce(&Self) -> Result<PasswordChanged, ChangePasswordError> + Send + use<> {
        let (screening, outbox, clock) = (self.screening.clone(), self.outbox.clone(), self.clock.clone());
        let input = PasswordChange { owner, current: entered(current), new: new_password(new) };
        let caller = speaking(Language::German);
        move |world| ChangePassword { reauthentication: world.owners(), screening, outbox, clock }.run(&input, &caller)
    }

    pub(crate) fn forgot(&self, email: &str) -> Result<(), RequestLinkError> {
        self.forgot_on(self.store.clone(), email)
    }

    pub(crate) fn forgot_from(&self, client: &str, email: &str) -> Result<(), RequestLinkError> {
        self.link(Occasion::ResetPassword, self.store.clone()).run(&address(email), &at(client)).map(drop)
    }

    pub(crate) fn forgot_on(&self, store: Arc<dyn Store>, email: &str) -> Result<(), RequestLinkError> {
        self.link(Occasion::ResetPassword, store).run(&address(email), &speaking(Language::French)).map(drop)
    }

    fn link(&self, occasion: Occasion, store: Arc<dyn Store>) -> RequestLink {
        let (outbox, limits, clock) = (self.outbox.clone(), self.limits.clone(), self.clock.clone());
        RequestLink { occasion, store, outbox, limits, clock }
    }

    pub(crate) fn resetting(&self) -> ResetPassword {
        ResetPassword {
            store: self.store.clone(),
            hasher: self.hasher.clone(),
            screening: self.screening.clone(),
            guesses: self.guesses(),
            tokens: self.one_time.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn reset(&self, token: &OneTimeToken, new: &str) -> Result<PasswordWasReset, ResetPasswordError> {
        self.resetting().run(&reset_of(token, new), &speaking(Language::French))
    }

    pub(crate) fn resend(&self, email: &str) -> Result<(), RequestLinkError> {
        let caller = speaking(Language::French);
        self.link(Occasion::VerifyEmail, self.store.clone()).run(&address(email), &caller).map(drop)
    }

    /// Verifies without proof of the password.
    pub(crate) fn verify(&self, token: &OneTimeToken) -> Result<EmailVerified, VerifyEmailError> {
        self.verify_from(token, None, None)
    }

    /// Verifies as the owner, who enters the password.
    pub(crate) fn confirm(&self, token: &OneTimeToken) -> Result<EmailVerified, VerifyEmailError> {
        self.verify_with(token, "correct horse")
    }

    pub(crate) fn verify_with(&self, token: &OneTimeToken, password: &str) -> Result<EmailVerified, VerifyEmailError> {
        let input = EmailVerification { password: Some(Password::new(password)), ..shown(token) };
        self.verifying(self.store.clone()).run(input, &speaking(Language::Spanish))
    }

    pub(crate) fn verify_from(
        &self,
        token: &OneTimeToken,
        bearer: Option<&TokenPair>,
        device: Option<String>,
    ) -> Result<EmailVerified, VerifyEmailError> {
        let bearer = bearer.map(|pair| self.authenticate(&pair.access_token).unwrap());
        self.verifying(self.store.clone()).run(EmailVerification { bearer, ..shown(token) }, &with(device))
    }

    pub(crate) fn verifying(&self, store: Arc<dyn Store>) -> VerifyEmail {
        VerifyEmail {
            reauthentication: self.owners_on(store),
            tokens: self.one_time.clone(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn inspect(&self, token: &OneTimeToken) -> Option<Purpose> {
        self.inspect_from(token, None).map(|inspected| inspected.purpose)
    }

    pub(crate) fn inspect_from(&self, token: &OneTimeToken, device: Option<&str>) -> Option<Inspected> {
        let (store, tokens, clock) = (self.store.clone(), self.one_time.clone(), self.clock.clone());
        InspectToken { store, tokens, devices: self.devices.clone(), clock }.run(token, device).unwrap()
    }

    pub(crate) fn change_email(
        &self,
        pair: &TokenPair,
        password: &str,
        new_email: &str,
    ) -> Result<(), ReauthenticationError> {
        self.change_email_on(self.store.clone(), self.authenticate(&pair.access_token).unwrap(), password, new_email)
    }

    pub(crate) fn change_email_on(
        &self,
        store: Arc<dyn Store>,
        owner: Authenticated,
        password: &str,
        new_email: &str,
    ) -> Result<(), ReauthenticationError> {
        let (tokens, outbox, clock) = (self.one_time.clone(), self.outbox.clone(), self.clock.clone());
        let (password, new_email) = (entered(password), address(new_email));
        let input = EmailChangeRequest { owner, password, new_email };
        RequestEmailChange { reauthentication: self.owners_on(store), tokens, outbox, clock }
            .run(&input, &speaking(Language::Chinese))
            .map(drop)
    }

    pub(crate) fn leaving(&self) -> DeleteOwnAccount {
        let deletion = DeleteAccount { store: self.store.clone(), clock: self.clock.clone() };
        DeleteOwnAccount { reauthentication: self.owners(), deletion: Arc::new(deletion) }
    }

    pub(crate) fn leave(&self, pair: &TokenPair, password: &str) -> Result<(), ReauthenticationError> {
        let owner = self.authenticate(&pair.access_token).unwrap();
        self.leaving().run(&leave_of(owner, password), &Caller::default()).map(drop)
    }

    pub(crate) fn listing(&self) -> ListMail {
        ListMail { store: self.store.clone() }
    }

    pub(crate) fn retrying(&self) -> RetryMail {
        RetryMail { store: self.store.clone(), clock: self.clock.clone() }
    }
}

pub(crate) fn shown(token: &OneTimeToken) -> EmailVerification {
    EmailVerification { token: token.clone(), bearer: None, password: None }
}

pub(crate) fn entered(password: &str) -> OwnerProof {
    OwnerProof::Password(Password::new(password))
}

pub(crate) fn leave_of(owner: Authenticated, password: &str) -> OwnAccountDeletion {
    OwnAccountDeletion { owner, password: entered(password) }
}

pub(crate) fn reset_of(token: &OneTimeToken, new: &str) -> PasswordReset {
    PasswordReset { token: token.clone(), new: new_password(new), remove_others: false }
}

/// A store that runs a hook before its first write.
pub(crate) struct Meanwhile;

impl Meanwhile {
    pub(crate) fn of(world: &World, happens: impl FnOnce() + Send + 'static) -> Arc<Watched<Arc<MemoryStore>>> {
        Arc::new(Watched::meanwhile(world.store.clone(), happens))
    }
}

/// Call of one thread in a race.
pub(crate) type Call<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Runs the calls on separate threads, released together, and returns the results in order.
pub(crate) fn all_at_once<'a, T: Send + 'a>(calls: Vec<Call<'a, T>>) -> Vec<T> {
    let barrier = Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for call in calls {
            let barrier = &barrier;
            running.push(scope.spawn(move || {
                barrier.wait();
                call()
            }));
        }
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
