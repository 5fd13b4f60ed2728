//! DTOs of second factors.

use super::qr;
use crate::body::{
    CODE, CREDENTIAL, FACTOR_NAME, Fields, Input, MFA_TOKEN, Member, PASSWORD, RECOVERY_CODE, REMEMBER_DEVICE,
};
use crate::errors::ApiError;
use crate::passkeys::PublicKeyRequestOptions;
use crate::time::rfc3339;
use crate::tokens::Issued;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::mail::DeviceLabel;
use portcullis_domain::mfa::{FactorName, TotpFactor};
use portcullis_domain::registration::PasswordPolicy;
use portcullis_domain::sessions::ClientInfo;
use portcullis_usecases::mfa::{
    FactorCode, FactorOverview, OwnDevice, PresentedFactor, ReauthenticationProof, SecondFactorVerification,
    TotpEnrolled,
};
use serde::{Deserialize, Serialize};

/// Returns the name of a device. Its parts are from a fixed list.
fn label(client: &ClientInfo) -> String {
    let DeviceLabel { app, system } = DeviceLabel::from_user_agent(client.user_agent.as_ref());
    match (app, system) {
        (Some(app), Some(system)) => format!("{app} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

/// Path of a factor or a trusted device.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct IdPath {
    /// Id of the factor or device.
    pub(super) id: String,
}

/// New authenticator app.
#[derive(Apiv2Schema)]
pub(crate) struct EnrolTotpRequest;

impl Input for EnrolTotpRequest {
    type Command = FactorName;
    const OPTIONAL: bool = true;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<FactorName> {
        let name =
            Member { about: "Name of the factor: 1 to 64 characters. `Authenticator` if missing.", ..FACTOR_NAME };
        if fields.has(name) { fields.factor_name(name) } else { Some(FactorName::default()) }
    }
}

/// New name of an authenticator app.
#[derive(Apiv2Schema)]
pub(crate) struct RenameTotpRequest;

impl Input for RenameTotpRequest {
    type Command = FactorName;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<FactorName> {
        fields.factor_name(FACTOR_NAME)
    }
}

/// First code of an authenticator app.
#[derive(Apiv2Schema)]
pub(crate) struct ConfirmTotpRequest;

impl Input for ConfirmTotpRequest {
    /// Code, and whether a browser must forget the tokens when it closes.
    type Command = (FactorCode, bool);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let code = Member { about: "Current code of the app: six digits.", ..CODE };
        let (code, forget) = (fields.required_code(code, FactorCode::parse), fields.forget());
        Some((code?, forget?))
    }
}

/// Second factor of a login: a code, a recovery code or the response of a passkey.
#[derive(Apiv2Schema)]
pub(crate) struct VerifyMfaRequest;

impl Input for VerifyMfaRequest {
    /// Second factor, and whether a browser must forget the tokens when it closes.
    type Command = (SecondFactorVerification, bool);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let mfa_token = fields.jwt(MFA_TOKEN);
        let credential = fields.optional_object(Member {
            about: "Response of a passkey, if `code` and `recovery_code` are missing: `credential.toJSON()` of the WebAuthn API.",
            ..CREDENTIAL
        });
        let has_recovery_code = fields.is_filled(RECOVERY_CODE);
        let factor = match credential {
            _ if fields.is_filled(CODE) => fields.required_code(CODE, FactorCode::parse).map(PresentedFactor::from),
            _ if has_recovery_code => fields.required_code(RECOVERY_CODE, FactorCode::recovery).map(Into::into),
            Some(Some(credential)) => Some(PresentedFactor::Passkey(credential)),
            Some(None) => fields.required_code(CODE, FactorCode::parse).map(PresentedFactor::from),
            None => None,
        };
        let (remember_device, forget) = (fields.optional_bool(REMEMBER_DEVICE), fields.forget());
        let (mfa_token, factor, remember_device) = (mfa_token?, factor?, remember_device?);
        Some((SecondFactorVerification { mfa_token, factor, remember_device }, forget?))
    }
}

/// Password of the session's user, and a code if the account has a second factor; or the response of a passkey.
#[derive(Apiv2Schema)]
pub(crate) struct ReauthenticateRequest;

impl Input for ReauthenticateRequest {
    type Command = ReauthenticationProof;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<ReauthenticationProof> {
        let credential = fields.optional_object(Member {
            about: "Response of a passkey, if `password` is missing: `credential.toJSON()` of the WebAuthn API.",
            ..CREDENTIAL
        });
        let (password, code) = (fields.own_password(PASSWORD), fields.factor_code(CODE));
        match (password?, credential?) {
            (Some(password), _) => Some(ReauthenticationProof::Password { password, code: code? }),
            (None, credential) => credential.map(ReauthenticationProof::Passkey),
        }
    }
}

/// Second factors of the account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MfaResponse {
    /// True if a login needs a second factor.
    enabled: bool,
    /// Authenticator apps, oldest first.
    factors: Vec<FactorResponse>,
    /// Number of passkeys that are second factors.
    passkeys: u32,
    /// Number of unused recovery codes.
    recovery_codes_left: u32,
}

impl From<FactorOverview> for MfaResponse {
    fn from(overview: FactorOverview) -> Self {
        let FactorOverview { totp, passkeys, recovery_codes_left } = overview;
        let factors: Vec<_> = totp.into_iter().map(FactorResponse::from).collect();
        Self { enabled: !factors.is_empty() || passkeys > 0, factors, passkeys, recovery_codes_left }
    }
}

/// Authenticator app.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct FactorResponse {
    /// Id of the factor.
    id: String,
    /// Kind of the factor: always `totp`.
    r#type: &'static str,
    /// Name given by the owner.
    name: String,
    /// Creation time, in UTC.
    created_at: String,
    /// Time when a code was last accepted, in UTC; null if never.
    last_used_at: Option<String>,
}

impl From<TotpFactor> for FactorResponse {
    fn from(factor: TotpFactor) -> Self {
        Self {
            id: factor.id.to_string(),
            r#type: "totp",
            name: factor.name.as_str().to_owned(),
            created_at: rfc3339(factor.created_at),
            last_used_at: factor.last_used_at.map(rfc3339),
        }
    }
}

/// Authenticator app to be confirmed.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct EnrolTotpResponse {
    /// Id of the factor.
    id: String,
    /// The secret in base32, to be typed.
    secret: String,
    /// The secret as a URI, to be opened or scanned.
    otpauth_uri: String,
    /// The URI as a QR code: an SVG image.
    qr_svg: String,
    /// Time until which it can be confirmed, in UTC.
    expires_at: String,
}

impl TryFrom<TotpEnrolled> for EnrolTotpResponse {
    type Error = ApiError;

    fn try_from(enrolled: TotpEnrolled) -> Result<Self, ApiError> {
        let qr_svg = qr::svg(&enrolled.uri).ok_or_else(|| ApiError::internal("the URI fits in no QR code"))?;
        Ok(Self {
            id: enrolled.id.to_string(),
            secret: enrolled.secret.to_base32(),
            otpauth_uri: enrolled.uri,
            qr_svg,
            expires_at: rfc3339(enrolled.expires_at),
        })
    }
}

/// Confirmed authenticator app, and the tokens of a new session if a login required it.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ConfirmTotpResponse {
    /// The factor.
    pub(super) factor: FactorResponse,
    /// Number of other sessions that ended.
    pub(super) sessions_ended: u64,
    #[serde(flatten)]
    pub(super) issued: Issued,
}

/// New recovery codes.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct RecoveryCodesResponse {
    /// The codes, which are not returned again.
    pub(super) recovery_codes: Vec<String>,
}

/// Ways to authenticate again.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReauthenticationOptionsResponse {
    /// What the account can present: `password`, `totp`, `passkey`.
    pub(super) methods: Vec<&'static str>,
    /// Options to sign with a passkey. Only if the account has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_key: Option<PublicKeyRequestOptions>,
}

/// New access token of the same session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ReauthenticateResponse(pub(super) Issued);

/// Trusted devices of the account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct DevicesResponse {
    /// Devices, newest first.
    pub(super) devices: Vec<DeviceResponse>,
}

/// Device that needs no second factor for a while.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct DeviceResponse {
    /// Id of the device.
    id: String,
    /// Browser or app and system, as far as known.
    label: String,
    /// Time since which it is trusted, in UTC.
    created_at: String,
    /// Time until which it is trusted, in UTC.
    expires_at: String,
    /// True for the device of this request.
    current: bool,
}

impl From<OwnDevice> for DeviceResponse {
    fn from(own: OwnDevice) -> Self {
        let OwnDevice { device, current } = own;
        Self {
            id: device.id.to_string(),
            label: label(&device.client),
            created_at: rfc3339(device.created_at),
            expires_at: rfc3339(device.expires_at),
            current,
        }
    }
}
