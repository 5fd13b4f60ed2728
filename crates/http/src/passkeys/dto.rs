//! DTOs of passkeys.

use super::options::{PublicKeyCreationOptions, PublicKeyRequestOptions};
use crate::body::{CREDENTIAL, FACTOR_NAME, Fields, Input, Member};
use crate::time::rfc3339;
use crate::tokens::exposed;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::default_name;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::passkeys::{ListedPasskey, PasskeyAdded, PasskeyLogIn, PasskeysListed};
use serde::{Deserialize, Serialize};

const SECOND_FACTOR: Member = Member {
    name: "second_factor",
    about: "True for a passkey that is only a second factor: it never signs in, and need not verify the user.",
    example: "true",
};

/// Path of a passkey.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct PasskeyPath {
    /// Id of the passkey.
    pub(super) id: String,
}

/// Kind of the new passkey.
#[derive(Apiv2Schema)]
pub(crate) struct PasskeyOptionsRequest;

impl Input for PasskeyOptionsRequest {
    /// Whether the passkey is only a second factor.
    type Command = bool;
    const OPTIONAL: bool = true;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<bool> {
        fields.optional_bool(SECOND_FACTOR)
    }
}

/// Options to create a passkey.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyOptionsResponse {
    /// Argument of `PublicKeyCredential.parseCreationOptionsFromJSON`.
    pub(super) public_key: PublicKeyCreationOptions,
}

/// New passkey.
#[derive(Apiv2Schema)]
pub(crate) struct AddPasskeyRequest;

/// What a request for a new passkey holds.
pub(crate) struct NewPasskey {
    pub(super) name: FactorName,
    pub(super) second_factor: bool,
    pub(super) credential: String,
}

impl Input for AddPasskeyRequest {
    type Command = NewPasskey;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<NewPasskey> {
        let credential = fields.object(CREDENTIAL);
        let name = Member {
            about: "Name of the passkey: 1 to 64 characters. `Passkey` if missing.",
            example: "MacBook",
            ..FACTOR_NAME
        };
        let name = if fields.has(name) { fields.factor_name(name) } else { Some(default_name()) };
        let second_factor = fields.optional_bool(SECOND_FACTOR);
        Some(NewPasskey { name: name?, second_factor: second_factor?, credential: credential? })
    }
}

/// New name of a passkey.
#[derive(Apiv2Schema)]
pub(crate) struct RenamePasskeyRequest;

impl Input for RenamePasskeyRequest {
    type Command = FactorName;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<FactorName> {
        fields.factor_name(Member {
            about: "Name of the passkey: 1 to 64 characters.",
            example: "MacBook",
            ..FACTOR_NAME
        })
    }
}

/// No options.
#[derive(Apiv2Schema)]
pub(crate) struct PasskeyLogInOptionsRequest;

impl Input for PasskeyLogInOptionsRequest {
    type Command = ();
    const OPTIONAL: bool = true;

    fn read(_: &mut Fields, _: &PasswordPolicy) -> Option<()> {
        Some(())
    }
}

/// Options to sign in with a passkey.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyLogInOptionsResponse {
    /// Argument of `PublicKeyCredential.parseRequestOptionsFromJSON`.
    pub(super) public_key: PublicKeyRequestOptions,
}

/// Response of a passkey.
#[derive(Apiv2Schema)]
pub(crate) struct PasskeyLogInRequest;

impl Input for PasskeyLogInRequest {
    /// Response, and whether a browser must forget the tokens when it closes.
    type Command = (PasskeyLogIn, bool);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let (credential, forget) = (fields.object(CREDENTIAL), fields.forget());
        Some((PasskeyLogIn { credential: credential? }, forget?))
    }
}

/// Passkeys of the account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct PasskeysResponse {
    /// Passkeys, oldest first.
    passkeys: Vec<PasskeyResponse>,
    /// Argument of `PublicKeyCredential.signalAllAcceptedCredentials`, so that authenticators hide others.
    signal: SignalResponse,
}

/// Passkeys that an authenticator may offer.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignalResponse {
    /// RP ID.
    rp_id: String,
    /// Random id of the account in base64url.
    user_id: String,
    /// Credential ids in base64url.
    all_accepted_credential_ids: Vec<String>,
}

/// Passkey.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct PasskeyResponse {
    /// Id of the passkey.
    id: String,
    /// Name given by the owner.
    name: String,
    /// Creation time, in UTC.
    created_at: String,
    /// Time of the last use, in UTC; null if never.
    last_used_at: Option<String>,
    /// True if an authenticator offers it without being given its id.
    discoverable: bool,
    /// True if it can be copied to other devices of the owner.
    synced: bool,
    /// True if a copy existed when it was last used.
    backed_up: bool,
    /// True if it is only a second factor.
    second_factor: bool,
    /// Model of the authenticator; all zeros if unknown.
    aaguid: String,
    /// How browsers reach the authenticator.
    transports: Vec<String>,
    /// False if it was made for another RP ID.
    usable: bool,
}

/// New passkey, with recovery codes if it is the account's first second factor.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct AddPasskeyResponse {
    #[serde(flatten)]
    passkey: PasskeyResponse,
    /// Recovery codes, which are not returned again. Only with the account's first second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
    /// Number of other sessions that ended. Only with the account's first second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions_ended: Option<u64>,
}

/// Related origins (WebAuthn §5.11).
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct RelatedOriginsResponse {
    /// Origins that may use passkeys of this RP ID.
    pub(super) origins: Vec<String>,
}

impl From<ListedPasskey> for PasskeyResponse {
    fn from(ListedPasskey { passkey, usable }: ListedPasskey) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.as_str().to_owned(),
            created_at: rfc3339(passkey.created_at),
            last_used_at: passkey.last_used_at.map(rfc3339),
            discoverable: passkey.discoverable,
            synced: passkey.flags.backup_eligible(),
            backed_up: passkey.flags.backed_up(),
            second_factor: passkey.second_factor,
            aaguid: passkey.aaguid.to_string(),
            transports: passkey.transports,
            usable,
        }
    }
}

impl From<PasskeysListed> for PasskeysResponse {
    fn from(listed: PasskeysListed) -> Self {
        let signal = SignalResponse::from(&listed);
        Self { passkeys: listed.passkeys.into_iter().map(PasskeyResponse::from).collect(), signal }
    }
}

impl From<&PasskeysListed> for SignalResponse {
    fn from(PasskeysListed { passkeys, rp_id, user_handle }: &PasskeysListed) -> Self {
        let usable = passkeys.iter().filter(|listed| listed.usable);
        Self {
            rp_id: rp_id.clone(),
            user_id: user_handle.to_base64url(),
            all_accepted_credential_ids: usable.map(|listed| listed.passkey.credential_id.to_base64url()).collect(),
        }
    }
}

impl From<PasskeyAdded> for AddPasskeyResponse {
    fn from(PasskeyAdded { passkey, enabled }: PasskeyAdded) -> Self {
        let sessions_ended = enabled.as_ref().map(|enabled| enabled.sessions_ended);
        Self {
            passkey: ListedPasskey { passkey, usable: true }.into(),
            recovery_codes: enabled.map(|enabled| exposed(enabled.recovery_codes)),
            sessions_ended,
        }
    }
}
