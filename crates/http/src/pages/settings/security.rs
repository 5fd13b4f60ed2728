//! `/account/security`: the password, authenticator apps, recovery codes and remembered devices.

use super::ago::Ago;
use super::content::{App, Security};
use super::device::Device;
use super::done::Done;
use super::{ID, NAME, SettingsPage, Visit};
use crate::api::{Api, with_store};
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::sign_in::at_field;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::{FactorId, FactorName, TotpFactor, TrustedDeviceId};
use portcullis_usecases::Caller;
use portcullis_usecases::mfa::MfaReason;
use portcullis_usecases::tokens::Authenticated;

/// `GET`: displays what protects the account.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    match visit.security(Done::of(&visit.request)).await {
        Ok(security) => visit.page(SettingsPage::Security(security)),
        Err(error) => visit.failed(error),
    }
}

/// `POST`: renames or removes an app, or forgets devices.
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
    Rename(String, FactorName),
    Remove(String),
    Forget(String),
    ForgetAll,
}

impl Action {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let id = fields.optional(ID).unwrap_or_default();
        match fields.optional("action").as_deref() {
            Some("rename") => {
                let name = FactorName::parse(&fields.optional(NAME).unwrap_or_default());
                // The list has several fields for names, so the message belongs to none of them.
                Ok(Self::Rename(id, name.ok_or_else(|| at_field("body", "name_invalid", "Invalid name"))?))
            }
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
            Self::Rename(id, name) => {
                api.mfa.rename.run(session, FactorId::parse(id).ok_or_else(absent)?, name)?;
                Ok(Done::AppRenamed)
            }
            Self::Remove(id) => {
                api.mfa.remove.run(session, FactorId::parse(id).ok_or_else(absent)?, caller)?;
                let is_last = api.mfa.list.run(session)?.totp.is_empty();
                Ok(if is_last { Done::SecondStepOff } else { Done::AppRemoved })
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
            Self::Rename(..) | Self::Remove(_) => Done::AppRemoved,
            Self::Forget(_) | Self::ForgetAll => Done::DeviceForgotten,
        }
    }
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
            Ok::<_, ApiError>((api.mfa.list.run(&session)?, devices, api.sessions.list.clock.now()))
        };
        let (factors, devices, now) = with_store(self.api.clone(), read).await??;
        let app = |factor: TotpFactor| App {
            id: factor.id.to_string(),
            name: factor.name.as_str().to_owned(),
            added: Ago::new(factor.created_at, now),
            used: factor.last_used_at.map(|used| Ago::new(used, now)),
        };
        Ok(Security {
            done,
            has_password: self.session.has_password,
            apps: factors.totp.into_iter().map(app).collect(),
            codes_left: factors.recovery_codes_left.to_string(),
            devices: devices.iter().map(|own| Device::trusted(own, now)).collect(),
        })
    }
}
