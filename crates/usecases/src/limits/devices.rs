//! Devices and sources known to an account: by a cookie set at a successful login, and by stored
//! sessions. Both are bound to the current password and authorize nothing. They let the owner log in
//! while an attacker on another device has spent the account's budget.

use crate::caller::Caller;
use portcullis_domain::limits::{DeviceCookie, DeviceId, PasswordTag, Source};
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, PasswordHash, UserId};
use portcullis_domain::sessions::{DeviceHash, SourceHash};
use portcullis_domain::tokens::IdempotencyKeyDigest;
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{Clock, Entropy, EntropyExt, MacSigner, signers};
use std::sync::Arc;

/// Issues and recognizes device cookies.
pub struct DeviceCookies {
    /// Signer of the cookies.
    pub authenticator: Arc<dyn MacSigner>,
    /// Random bytes for device ids.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl DeviceCookies {
    /// Returns the decoded cookie, or `None` if it is forged, too old or for another account. Does not
    /// check the password tag: use [`is_current`](Self::is_current) once the account has been read.
    #[must_use]
    pub fn read(&self, cookie: &str, account: &EmailAddress) -> Option<DeviceCookie> {
        let (cookie, signature) = DeviceCookie::decode(cookie)?;
        let genuine = self.authenticator.verify(&cookie.signing_input(account), &signature);
        (genuine && cookie.is_valid_at(self.clock.now())).then_some(cookie)
    }

    /// Returns whether the cookie was issued for that password.
    #[must_use]
    pub fn is_current(&self, cookie: &DeviceCookie, password: &PasswordHash) -> bool {
        signers(&*self.authenticator).any(|signer| cookie.password == PasswordTag::from(version(signer, password)))
    }

    /// Returns the device of a cookie, or `None` unless the cookie was issued for this account and its
    /// current password.
    #[must_use]
    pub fn recognise(&self, cookie: &str, account: &EmailAddress, password: &PasswordHash) -> Option<DeviceId> {
        let cookie = self.read(cookie, account)?;
        self.is_current(&cookie, password).then_some(cookie.device)
    }

    /// Returns the caller's device, or `None` unless its cookie was issued for this account and its current
    /// password.
    pub(crate) fn known_device(
        &self,
        caller: &Caller,
        account: &EmailAddress,
        password: &PasswordHash,
    ) -> Option<DeviceId> {
        self.recognise(caller.device.as_deref()?, account, password)
    }

    /// Creates the cookie for a device whose user has just entered or set the account's password
    /// `new`. Keeps the device id of a valid `presented` cookie, and with it the device's budget;
    /// otherwise uses a new id. `owner` is the account before the change.
    #[must_use]
    pub fn issue(&self, presented: Option<&str>, owner: &Owner, new: &PasswordHash) -> String {
        let Owner { user, credentials } = owner;
        let known = presented.and_then(|cookie| self.recognise(cookie, &user.email, credentials.hash()));
        self.cookie(known.unwrap_or_else(|| self.new_device()), &user.email, new)
    }

    /// Creates a random device id.
    #[must_use]
    pub fn new_device(&self) -> DeviceId {
        DeviceId::from_random(self.entropy.array())
    }

    /// Returns the key that marks a device's exchanges of refresh tokens, or `None` if the cookie is malformed.
    /// A cookie that was not issued for the account is no weaker a key: only its browser has it.
    #[must_use]
    pub fn exchange_key(&self, cookie: &str) -> Option<IdempotencyKeyDigest> {
        DeviceCookie::decode(cookie).map(|(cookie, _)| cookie.device.exchange_key())
    }

    /// Returns the keyed hash of the device, for storage with a session.
    #[must_use]
    pub fn hash(&self, account: UserId, device: DeviceId) -> DeviceHash {
        device_hash(&*self.authenticator, account, device)
    }

    /// Returns whether a stored hash is that of the device, under the current key or a previous one.
    #[must_use]
    pub fn is_hash_of(&self, stored: DeviceHash, account: UserId, device: DeviceId) -> bool {
        signers(&*self.authenticator).any(|signer| stored == device_hash(signer, account, device))
    }

    /// Returns the keyed hash of the source, for storage with a session.
    #[must_use]
    pub fn source_hash(&self, owner: &Owner, source: Source) -> SourceHash {
        source_hash(&*self.authenticator, (owner.user.id, owner.credentials.hash()), source)
    }

    /// Returns the keyed hashes of the source by the current key and by each previous one. A session may have stored
    /// any of them. Without an account, returns as many that no session has.
    #[must_use]
    pub fn source_hashes(&self, owner: Option<&Owner>, source: Source) -> Vec<SourceHash> {
        let nothing = PasswordHash::new(String::new());
        let known = owner.map(|owner| (owner.user.id, owner.credentials.hash()));
        let account = known.unwrap_or((UserId::new(0), &nothing));
        signers(&*self.authenticator).map(|signer| source_hash(signer, account, source)).collect()
    }

    /// Creates the cookie for a device that has just logged in.
    #[must_use]
    pub fn cookie(&self, device: DeviceId, account: &EmailAddress, password: &PasswordHash) -> String {
        let password = PasswordTag::from(version(&*self.authenticator, password));
        let cookie = DeviceCookie { device, issued: self.clock.now(), password };
        cookie.encode(&self.authenticator.sign(&cookie.signing_input(account)))
    }
}

fn version(signer: &dyn MacSigner, password: &PasswordHash) -> PasswordVersion {
    PasswordVersion::new(signer.sign(&PasswordVersion::mac_input(password)))
}

fn device_hash(signer: &dyn MacSigner, account: UserId, device: DeviceId) -> DeviceHash {
    DeviceHash::new(signer.sign(&DeviceHash::mac_input(account, device)))
}

fn source_hash(signer: &dyn MacSigner, (id, password): (UserId, &PasswordHash), source: Source) -> SourceHash {
    SourceHash::new(signer.sign(&SourceHash::mac_input(id, &version(signer, password), source)))
}
