//! Devices that are known to an account: by a cookie that a successful login leaves there. It
//! opens nothing; it lets a guesser elsewhere not stand in the owner's way.

use portcullis_domain::limits::{DeviceCookie, DeviceId};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::sessions::DeviceMark;
use portcullis_ports::{Clock, Entropy, EntropyExt, MessageAuthenticator};
use std::sync::Arc;

/// Issues and recognises cookies.
pub struct Devices {
    /// What signs them.
    pub authenticator: Arc<dyn MessageAuthenticator>,
    /// Where the numbers of devices come from.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Devices {
    /// The device that a cookie names, if the service issued it for that account. A cookie that is
    /// forged, too old or another account's names none.
    #[must_use]
    pub fn recognise(&self, cookie: &str, account: &EmailAddress) -> Option<DeviceId> {
        let (cookie, signature) = DeviceCookie::read(cookie)?;
        let genuine = self.authenticator.verify(&cookie.signed(account), &signature);
        (genuine && cookie.is_good_at(self.clock.now())).then_some(cookie.device)
    }

    /// The cookie for a device that has just signed in to an account: the number that it has
    /// already, or a fresh one. One that is kept keeps its budget.
    #[must_use]
    pub fn issue(&self, shown: Option<&str>, account: &EmailAddress) -> String {
        let known = shown.and_then(|cookie| self.recognise(cookie, account));
        self.cookie(known.unwrap_or_else(|| self.fresh()), account)
    }

    /// The number of a device that none is known of.
    #[must_use]
    pub fn fresh(&self) -> DeviceId {
        DeviceId::from_random(self.entropy.array())
    }

    /// What a session keeps of the device that it begins from.
    #[must_use]
    pub fn mark(&self, account: UserId, device: DeviceId) -> DeviceMark {
        DeviceMark::new(self.authenticator.code(&DeviceMark::message(account, device)))
    }

    /// The cookie of a device that has just signed in to an account.
    #[must_use]
    pub fn cookie(&self, device: DeviceId, account: &EmailAddress) -> String {
        let cookie = DeviceCookie { device, issued: self.clock.now() };
        cookie.write(&self.authenticator.code(&cookie.signed(account)))
    }
}
