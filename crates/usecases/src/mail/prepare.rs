//! Prepares a queued email for sending, in the transaction that claims it: its recipient, token and
//! content. An email that is no longer needed is not prepared.

use super::DeliverMail;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::login::{self, Owner};
use portcullis_domain::mail::{ClientLabel, MailContent, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{QueuedMail, StoreError, Tx};

/// An email to send and the account that it is for.
pub(super) struct PreparedMail {
    pub(super) message: MailContent,
    pub(super) user: User,
}

impl DeliverMail {
    /// Prepares a claimed email. Returns `None` if it is no longer needed.
    pub(super) fn prepare(
        &self,
        mail: &QueuedMail,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<Option<PreparedMail>, StoreError> {
        let Some(owner) = recipient(&mail.mail, tx)? else { return Ok(None) };
        // A password change since the email was queued invalidates the email, as it invalidates a
        // token.
        let mut versions = self.outbox.tokens.versions(owner.credentials.hash());
        if mail.mail.password.is_some_and(|bound| !versions.any(|version| version == bound)) {
            return Ok(None);
        }
        if !is_wanted(&mail.mail, &owner.user, now, tx)? {
            return Ok(None);
        }
        let link = match mail.mail.occasion.purpose() {
            None => None,
            Some(purpose) => {
                let Some(token) = self.issue_token(mail, purpose, (&owner, now), tx)? else { return Ok(None) };
                Some((self.links.url_for(purpose, &token), purpose.lifetime()))
            }
        };
        Ok(Some(PreparedMail { message: self.content(&mail.mail, &owner.user, link), user: owner.user }))
    }

    /// Issues the token of an email or extends its lifetime. Returns `None` if it is not valid any more.
    fn issue_token(
        &self,
        mail: &QueuedMail,
        purpose: Purpose,
        (owner, now): (&Owner, DateTime<Utc>),
        tx: &mut dyn Tx,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let (tokens, seed) = (&self.outbox.tokens, &mail.mail.seed);
        let token = tokens.token(seed);
        let record = tokens.record(&token, purpose, (owner, &owner.user.email), now);
        if matches!(purpose, Purpose::VerifyEmail | Purpose::ResetPassword) && !mail.token_issued {
            tx.one_time_tokens().upsert(&record)?;
            tx.outbox().mark_token_issued(mail.id)?;
            return Ok(Some(token));
        }
        // Already issued, perhaps under a previous key.
        for (token, digest) in tokens.issued(seed) {
            let is_valid = match purpose {
                // Issued with the change and never extended, however late the email: undo tokens must expire
                // in the order of the changes.
                Purpose::UndoEmailChange => tx.one_time_tokens().find(digest)?.is_some(),
                // Extended only if it still exists. A token that was used, replaced or revoked must not become
                // valid again.
                _ => tx.one_time_tokens().extend(digest, record.expires_at)?,
            };
            if is_valid {
                return Ok(Some(token));
            }
        }
        Ok(None)
    }

    fn content(&self, order: &NewMail, user: &User, link: Option<(String, TimeDelta)>) -> MailContent {
        let to = match order.occasion {
            Occasion::VerifyEmail | Occasion::ResetPassword => &user.email,
            // The address at the time of the event, or the new address to confirm.
            _ => &order.to,
        };
        let client = is_owner_initiated(order.occasion, to, user).then(|| ClientLabel::from(&order.client));
        MailContent {
            id: self.outbox.tokens.mail_id(&order.seed),
            occasion: order.occasion,
            to: to.clone(),
            language: order.language,
            link,
            client,
            at: order.created_at,
        }
    }
}

/// Returns whether the recipient is known to own the account, so that the email may describe the
/// client. An unverified address may belong to another person.
fn is_owner_initiated(occasion: Occasion, to: &EmailAddress, user: &User) -> bool {
    match occasion {
        Occasion::VerifyEmail | Occasion::ConfirmEmail => false,
        // Only verified addresses get a notice of a change.
        Occasion::EmailChanged => true,
        Occasion::ResetPassword
        | Occasion::PasswordChanged
        | Occasion::NewDevice
        | Occasion::LoginAfterFailures
        | Occasion::SessionTheft
        | Occasion::FactorAdded
        | Occasion::FactorRemoved
        | Occasion::RecoveryCodeUsed
        | Occasion::IdentityLinked
        | Occasion::IdentityUnlinked
        | Occasion::PasskeyAdded
        | Occasion::PasskeyRemoved => user.email_verified_at.is_some() && *to == user.email,
    }
}

/// Returns the account of an email. A disabled account gets only the notice of a changed email.
fn recipient(order: &NewMail, tx: &mut dyn Tx) -> Result<Option<Owner>, StoreError> {
    let owner = match order.user_id {
        Some(id) => tx.credentials().owner(id)?,
        None => login::select_account(tx.credentials().owners(&order.to)?, &order.to),
    };
    Ok(owner.filter(|owner| owner.user.is_active || order.occasion == Occasion::EmailChanged))
}

/// Returns whether the email is still needed.
fn is_wanted(order: &NewMail, user: &User, now: DateTime<Utc>, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    match order.occasion {
        Occasion::VerifyEmail => Ok(user.email_verified_at.is_none()),
        // No email if the address is taken. The response was the same as for a free address.
        Occasion::ConfirmEmail => {
            let others = tx.users().find_by_email(&order.to)?.iter().any(|other| other.id != user.id);
            let holder = tx.one_time_tokens().find_reclaimer(&order.to, now)?;
            Ok(!others && holder.is_none_or(|holder| holder == user.id))
        }
        _ => Ok(true),
    }
}
