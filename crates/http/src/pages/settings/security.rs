//! `/account/security`: the password, passkeys, authenticator apps, recovery codes and remembered devices.

use super::ago::Ago;
use super::content::{App, Key, Security};
use super::device::Device;
use super::done::Done;
use super::{ID, NAME, SettingsPage, Visit};
use crate::api::{Api, with_store};
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::passkeys::Signal;
use crate::pages::sign_in::at_field;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use chrono::{DateTime, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::{FactorId, FactorName, TotpFactor, TrustedDeviceId};
use portcullis_domain::passkeys::PasskeyId;
use portcullis_usecases::Caller;
use portcullis_usecases::mfa::MfaReason;
use portcullis_usecases::passkeys::ListedPasskey;
use portcullis_usecases::tokens::Authenticated;

/// `GET`: displays what protects the account.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    match visit.security(Done::of(&visit.request)).await {
        Ok(security) => visit.page(SettingsPage::Security(security)),
        Err(error) => visit.failed(error),
    }
}

/// `POST`: renames or removes a passkey or an app, or forgets devices.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let changed = match visit.form(payload).await.and_then(Action::read) {
        Ok(action) => visit.act(action).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(done) => done.at("security"),
        Err(error) => match visit.security(None).await {
            Ok(security) => visit.refused(SettingsPage::Security(security), error),
            Err(error) => visit.failed(error),
        },
    }
}

/// What the form asks for.
enum Action {
    RenamePasskey(String, FactorName),
    RemovePasskey(String),
    Rename(String, FactorName),
    Remove(String),
    Forget(String),
    ForgetAll,
}

impl Action {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let id = fields.optional(ID).unwrap_or_default();
        match fields.optional("action").as_deref() {
            Some("rename_passkey") => Ok(Self::RenamePasskey(id, new_name(&mut fields)?)),
            Some("remove_passkey") => Ok(Self::RemovePasskey(id)),
            Some("rename") => Ok(Self::Rename(id, new_name(&mut fields)?)),
            Some("remove") => Ok(Self::Remove(id)),
            Some("forget") => Ok(Self::Forget(id)),
            Some("forget_all") => Ok(Self::ForgetAll),
            _ => Err(at_field("body", "form_invalid", "Unknown action")),
        }
    }

    /// What is renamed, removed or forgotten is gone in the same way if another tab removed it before.
    fn run(&self, api: &Api, session: &Authenticated, caller: &Caller) -> Result<Done, ApiError> {
        let absent = || ApiError::from(MfaReason::NotFound);
        match self {
            Self::RenamePasskey(id, name) => {
                api.passkeys.rename.run(session, PasskeyId::parse(id).ok_or_else(absent)?, name)?;
                Ok(Done::PasskeyRenamed)
            }
            Self::RemovePasskey(id) => {
                let had_second_factor = is_on(api, session)?;
                api.passkeys.remove.run(session, PasskeyId::parse(id).ok_or_else(absent)?, caller)?;
                let is_off = had_second_factor && !is_on(api, session)?;
                Ok(if is_off { Done::SecondStepOff } else { Done::PasskeyRemoved })
            }
            Self::Rename(id, name) => {
                api.mfa.rename.run(session, FactorId::parse(id).ok_or_else(absent)?, name)?;
                Ok(Done::AppRenamed)
            }
            Self::Remove(id) => {
                api.mfa.remove.run(session, FactorId::parse(id).ok_or_else(absent)?, caller)?;
                Ok(if is_on(api, session)? { Done::AppRemoved } else { Done::SecondStepOff })
            }
            Self::Forget(id) => {
                api.mfa.devices.forget(session, TrustedDeviceId::parse(id).ok_or_else(absent)?)?;
                Ok(Done::DeviceForgotten)
            }
            Self::ForgetAll => {
                api.mfa.devices.forget_all(session)?;
                Ok(Done::DevicesForgotten)
            }
        }
    }

    /// Returns the notice if nothing was left to change.
    const fn nothing_left(&self) -> Done {
        match self {
            Self::RenamePasskey(..) | Self::RemovePasskey(_) => Done::PasskeyRemoved,
            Self::Rename(..) | Self::Remove(_) => Done::AppRemoved,
            Self::Forget(_) | Self::ForgetAll => Done::DeviceForgotten,
        }
    }
}

/// Reads the new name of a passkey or an app.
fn new_name(fields: &mut Fields) -> Result<FactorName, ApiError> {
    let name = FactorName::parse(&fields.optional(NAME).unwrap_or_default());
    // The list has several fields for names, so the message belongs to none of them.
    name.ok_or_else(|| at_field("body", "name_invalid", "Invalid name"))
}

/// Returns whether a sign-in to the account needs a second factor.
fn is_on(api: &Api, session: &Authenticated) -> Result<bool, ApiError> {
    let factors = api.mfa.list.run(session)?;
    Ok(!factors.totp.is_empty() || factors.passkeys > 0)
}

impl Visit {
    async fn act(&self, action: Action) -> Result<Done, ApiError> {
        let (session, caller) = (self.session.clone(), Call::new(&self.api, &self.request).caller);
        let nothing_left = action.nothing_left();
        match with_store(self.api.clone(), move |api| action.run(api, &session, &caller)).await? {
            Err(error) if error.code == ErrorCode::NotFound => Ok(nothing_left),
            changed => changed,
        }
    }

    async fn security(&self, done: Option<Done>) -> Result<Security, ApiError> {
        let (session, caller) = (self.session.clone(), Call::new(&self.api, &self.request).caller);
        let read = move |api: &Api| {
            let devices = api.mfa.devices.list(&session, &caller)?;
            let is_on = api.passkeys.ceremonies.party.is_some();
            let listed = if is_on { Some(api.passkeys.list.run(&session)?) } else { None };
            Ok::<_, ApiError>((api.mfa.list.run(&session)?, devices, listed, api.sessions.list.clock.now()))
        };
        let (factors, devices, listed, now) = with_store(self.api.clone(), read).await??;
        let changed = matches!(done, Some(Done::PasskeyAdded | Done::PasskeyRemoved | Done::SecondStepOff));
        let signal = listed.as_ref().filter(|_| changed).and_then(Signal::all);
        let keys = usize::try_from(factors.passkeys).unwrap_or(usize::MAX);
        let app = |factor: TotpFactor| App {
            id: factor.id.to_string(),
            name: factor.name.as_str().to_owned(),
            added: Ago::new(factor.created_at, now),
            used: factor.last_used_at.map(|used| Ago::new(used, now)),
        };
        Ok(Security {
            done,
            has_password: self.session.has_password,
            passkeys: listed.map(|listed| listed.passkeys.into_iter().map(|own| Key::new(own, now)).collect()),
            second_factors: factors.totp.len().saturating_add(keys),
            apps: factors.totp.into_iter().map(app).collect(),
            codes_left: factors.recovery_codes_left.to_string(),
            devices: devices.iter().map(|own| Device::trusted(own, now)).collect(),
            signal,
        })
    }
}

impl Key {
    fn new(ListedPasskey { passkey, usable }: ListedPasskey, now: DateTime<Utc>) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.as_str().to_owned(),
            added: Ago::new(passkey.created_at, now),
            used: passkey.last_used_at.map(|used| Ago::new(used, now)),
            synced: passkey.flags.backup_eligible(),
            second_factor: passkey.second_factor,
            usable,
        }
    }
}
