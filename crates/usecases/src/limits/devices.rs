//! Devices and sources that are known to an account: by a cookie that a successful login leaves
//! there, and by the sessions that are kept. Either is good for one password, and opens nothing; it
//! lets a guesser elsewhere not stand in the owner's way.

use portcullis_domain::limits::{DeviceCookie, DeviceId, PasswordTag, Source};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User, UserId};
use portcullis_domain::sessions::{DeviceHash, SourceHash};
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{Clock, Entropy, EntropyExt, MacSigner};
use std::sync::Arc;

/// Issues and recognises cookies.
pub struct DeviceCookies {
    /// What signs them.
    pub authenticator: Arc<dyn MacSigner>,
    /// Where the numbers of devices come from.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl DeviceCookies {
    /// Returns what a cookie says, if the service issued it for that account. `None` if it is forged,
    /// too old or another account's. Whether its password is the current one, only
    /// [`is_current`](Self::is_current) says, once the account was read.
    #[must_use]
    pub fn read(&self, cookie: &str, account: &EmailAddress) -> Option<DeviceCookie> {
        let (cookie, signature) = DeviceCookie::decode(cookie)?;
        let genuine = self.authenticator.verify(&cookie.signing_input(account), &signature);
        (genuine && cookie.is_valid_at(self.clock.now())).then_some(cookie)
    }

    /// Returns whether a cookie was issued for that password.
    #[must_use]
    pub fn is_current(&self, cookie: &DeviceCookie, password: &PasswordHash) -> bool {
        cookie.password == PasswordTag::from(self.version(password))
    }

    /// Returns the device that a cookie names, if it is known to that account with the password that
    /// it has now.
    #[must_use]
    pub fn recognise(&self, cookie: &str, user: &User) -> Option<DeviceId> {
        let cookie = self.read(cookie, &user.email)?;
        self.is_current(&cookie, &user.password).then_some(cookie.device)
    }

    /// Creates the cookie for a device that has just proved to know the password `new` of an account,
    /// or set it: with the device id that it has already, or a fresh one. One that is kept keeps its
    /// budget. `user` is the account as it was before.
    #[must_use]
    pub fn issue(&self, presented: Option<&str>, user: &User, new: &PasswordHash) -> String {
        let known = presented.and_then(|cookie| self.recognise(cookie, user));
        self.cookie(known.unwrap_or_else(|| self.new_device()), &user.email, new)
    }

    /// The number of a device that none is known of.
    #[must_use]
    pub fn new_device(&self) -> DeviceId {
        DeviceId::from_random(self.entropy.array())
    }

    /// What a session keeps of the device that it begins from.
    #[must_use]
    pub fn hash(&self, account: UserId, device: DeviceId) -> DeviceHash {
        DeviceHash::new(self.authenticator.sign(&DeviceHash::mac_input(account, device)))
    }

    /// Creates what a session keeps of the source that it begins from. That of no account is no
    /// session's.
    #[must_use]
    pub fn source_hash(&self, user: Option<&User>, source: Source) -> SourceHash {
        let nothing = PasswordHash::new(String::new());
        let (id, password) = user.map_or((UserId::new(0), &nothing), |user| (user.id, &user.password));
        SourceHash::new(self.authenticator.sign(&SourceHash::mac_input(id, &self.version(password), source)))
    }

    /// The cookie of a device that has just signed in to an account.
    #[must_use]
    pub fn cookie(&self, device: DeviceId, account: &EmailAddress, password: &PasswordHash) -> String {
        let password = PasswordTag::from(self.version(password));
        let cookie = DeviceCookie { device, issued: self.clock.now(), password };
        cookie.encode(&self.authenticator.sign(&cookie.signing_input(account)))
    }

    fn version(&self, password: &PasswordHash) -> PasswordVersion {
        PasswordVersion::new(self.authenticator.sign(&PasswordVersion::mac_input(password)))
    }
}
