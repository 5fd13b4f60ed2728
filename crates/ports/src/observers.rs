//! Observers of use-case decisions, for example for metrics.

use portcullis_domain::mail::Occasion;
use portcullis_domain::providers::{ProviderKind, SignInError};
use portcullis_domain::tokens::Verdict;

/// Observes the verdicts on refresh tokens. Must not panic or block.
///
/// ```
/// use portcullis_domain::tokens::Verdict;
/// use portcullis_ports::RefreshObserver;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// #[derive(Default)]
/// struct Thefts(AtomicU64);
/// impl RefreshObserver for Thefts {
///     fn on_verdict(&self, verdict: Verdict) {
///         self.0.fetch_add((verdict == Verdict::Theft).into(), Ordering::Relaxed);
///     }
/// }
/// let thefts = Thefts::default();
/// thefts.on_verdict(Verdict::Theft);
/// assert_eq!(thefts.0.into_inner(), 1);
/// ```
pub trait RefreshObserver: Send + Sync {
    /// Receives the verdict on a genuine refresh token, after the verdict was executed.
    fn on_verdict(&self, verdict: Verdict);
}

/// Ignores all verdicts.
impl RefreshObserver for () {
    fn on_verdict(&self, _: Verdict) {}
}

/// Outcome of an attempt at a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactorOutcome {
    /// The code was right.
    Right,
    /// The code was wrong, used before or unreadable.
    Wrong,
    /// Too many attempts: the code was not checked.
    Limited,
}

/// Observes attempts at second factors. Must not panic or block.
pub trait SecondFactorObserver: Send + Sync {
    /// Receives the outcome of an attempt. Attempts that failed with an error are not reported.
    fn on_attempt(&self, outcome: SecondFactorOutcome);
}

/// Ignores all attempts.
impl SecondFactorObserver for () {
    fn on_attempt(&self, _: SecondFactorOutcome) {}
}

/// Observes sign-ins with identity providers and passkeys. Must not panic or block.
pub trait SignInObserver: Send + Sync {
    /// Receives the outcome of a sign-in, or of linking an identity. Failures of this service are not reported.
    fn on_sign_in(&self, kind: ProviderKind, outcome: Result<(), SignInError>);

    /// Receives whether a passkey was accepted. Failures of this service are not reported.
    fn on_passkey(&self, accepted: bool);
}

/// Ignores all sign-ins.
impl SignInObserver for () {
    fn on_sign_in(&self, _: ProviderKind, _: Result<(), SignInError>) {}

    fn on_passkey(&self, _: bool) {}
}

/// Step in the delivery of an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEvent {
    /// The first attempt began.
    Started,
    /// The mail server accepted the email.
    Sent,
    /// An attempt failed; there will be another one.
    Postponed,
    /// The email was deleted unsent: it is no longer needed, or its address has spent its budget.
    Dropped,
    /// The email became dead: no more attempts.
    Dead,
}

/// Observes the delivery of emails. Must not panic or block.
pub trait MailObserver: Send + Sync {
    /// Receives an event, after it was stored. A sent email is reported even if storing that failed.
    fn on_mail(&self, occasion: Occasion, event: MailEvent);
}

/// Ignores all emails.
impl MailObserver for () {
    fn on_mail(&self, _: Occasion, _: MailEvent) {}
}
