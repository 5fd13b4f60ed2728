//! Authentication methods: how a user proved who they are.

/// Authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The password.
    Password,
    /// A one-time code of an authenticator app, or a recovery code.
    OneTimeCode,
    /// A sign-in with an identity provider.
    Federated,
    /// A passkey that cannot leave its device.
    HardwareKey,
    /// A passkey that can be copied to other devices.
    SoftwareKey,
    /// The authenticator of a passkey verified the user.
    UserVerified,
}

impl Method {
    const ALL: [Self; 6] =
        [Self::Password, Self::Federated, Self::OneTimeCode, Self::HardwareKey, Self::SoftwareKey, Self::UserVerified];

    /// Returns the name in the `amr` claim (RFC 8176 §2). It registers none for a sign-in with a provider.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimeCode => "otp",
            Self::Federated => "fed",
            Self::HardwareKey => "hwk",
            Self::SoftwareKey => "swk",
            Self::UserVerified => "user",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Password => 1,
            Self::OneTimeCode => 2,
            Self::Federated => 4,
            Self::HardwareKey => 8,
            Self::SoftwareKey => 16,
            Self::UserVerified => 32,
        }
    }
}

/// Set of the methods of one authentication, and whether they prove several factors.
///
/// ```
/// use portcullis_domain::login::{Method, Methods};
/// let password = Methods::from(Method::Password);
/// assert!(!password.are_multi_factor());
/// let both = password.with(Method::OneTimeCode);
/// assert!(both.are_multi_factor());
/// assert_eq!(both.amr(), ["pwd", "otp", "mfa"]);
/// assert_eq!(Methods::from_amr(both.amr()), both);
/// let provider = Methods::from(Method::Federated).with_provider_factors();
/// assert_eq!(provider.amr(), ["fed", "mfa"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

impl From<Method> for Methods {
    fn from(method: Method) -> Self {
        Self(method.bit())
    }
}

impl Methods {
    /// Name for several factors in the `amr` claim.
    const MULTI_FACTOR: &'static str = "mfa";

    /// Bit for several factors. Stored, because no method of this service implies a provider's.
    const MULTI_FACTOR_BIT: u8 = 128;

    /// Returns the empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Adds a method. Something that the user has (a one-time code, a passkey) is a second factor after a
    /// password or a provider, a code after a passkey too. A passkey whose authenticator verified the user
    /// proves both factors by itself (NIST SP 800-63B §2.2).
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        let all = Self(self.0 | method.bit());
        let known = all.contain(Method::Password) || all.contain(Method::Federated);
        let (key, code) = (all.contain_key(), all.contain(Method::OneTimeCode));
        let several = known && (key || code) || key && (code || all.contain(Method::UserVerified));
        if several { all.with_multi_factor() } else { all }
    }

    /// Adds the methods of another proof of the same authentication.
    ///
    /// ```
    /// use portcullis_domain::login::{Method, Methods};
    /// let (password, key) = (Methods::from(Method::Password), Methods::from(Method::HardwareKey));
    /// assert_eq!(password.and(key).amr(), ["pwd", "hwk", "mfa"]);
    /// assert!(!key.and(key).are_multi_factor());
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let all = Method::ALL.into_iter().filter(|method| other.contain(*method)).fold(self, Self::with);
        if other.are_multi_factor() { all.with_multi_factor() } else { all }
    }

    /// Returns whether the set is a passkey alone, which did not verify the user.
    #[must_use]
    pub const fn are_single_key(self) -> bool {
        let known = self.contain(Method::Password) || self.contain(Method::Federated);
        self.contain_key() && !known && !self.are_multi_factor()
    }

    /// Returns whether the set contains a passkey.
    #[must_use]
    pub const fn contain_key(self) -> bool {
        self.contain(Method::HardwareKey) || self.contain(Method::SoftwareKey)
    }

    /// Records that a provider verified several factors. Only for a provider whose word for that is taken.
    #[must_use]
    pub const fn with_provider_factors(self) -> Self {
        self.with(Method::Federated).with_multi_factor()
    }

    const fn with_multi_factor(self) -> Self {
        Self(self.0 | Self::MULTI_FACTOR_BIT)
    }

    /// Returns whether the set contains a method.
    #[must_use]
    pub const fn contain(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Returns whether several factors were proved, here or at a provider.
    #[must_use]
    pub const fn are_multi_factor(self) -> bool {
        self.0 & Self::MULTI_FACTOR_BIT != 0
    }

    /// Returns the `amr` claim (RFC 8176 §2).
    #[must_use]
    pub fn amr(self) -> Vec<&'static str> {
        let own = Method::ALL.into_iter().filter(|method| self.contain(*method)).map(Method::as_str);
        own.chain(self.are_multi_factor().then_some(Self::MULTI_FACTOR)).collect()
    }

    /// Reads an `amr` claim of this service. Ignores unknown names, which a newer release may have written.
    #[must_use]
    pub fn from_amr<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(Self::default(), |methods, name| {
            match Method::ALL.into_iter().find(|method| method.as_str() == name) {
                Some(method) => methods.with(method),
                None if name == Self::MULTI_FACTOR => methods.with_multi_factor(),
                None => methods,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Method::{Federated, HardwareKey, OneTimeCode, Password, SoftwareKey, UserVerified};
    use proptest::prelude::*;

    #[test]
    fn claim_has_mfa_only_for_several_factors() {
        let set = |methods: &[Method]| methods.iter().fold(Methods::default(), |set, method| set.with(*method));
        for (methods, amr) in [
            (set(&[]), &[][..]),
            (set(&[Password]), &["pwd"]),
            (set(&[OneTimeCode]), &["otp"]),
            (set(&[Federated]), &["fed"]),
            (set(&[Federated, Password]), &["pwd", "fed"]),
            (set(&[OneTimeCode, Password]), &["pwd", "otp", "mfa"]),
            (set(&[Federated, OneTimeCode]), &["fed", "otp", "mfa"]),
            (Methods::default().with_provider_factors(), &["fed", "mfa"]),
            (set(&[OneTimeCode]).with_provider_factors(), &["fed", "otp", "mfa"]),
            (set(&[HardwareKey]), &["hwk"]),
            (set(&[HardwareKey, HardwareKey]), &["hwk"]),
            (set(&[HardwareKey, SoftwareKey]), &["hwk", "swk"]),
            (set(&[UserVerified]), &["user"]),
            (set(&[UserVerified, HardwareKey]), &["hwk", "user", "mfa"]),
            (set(&[SoftwareKey, UserVerified]), &["swk", "user", "mfa"]),
            (set(&[HardwareKey, OneTimeCode]), &["otp", "hwk", "mfa"]),
            (set(&[Password, HardwareKey]), &["pwd", "hwk", "mfa"]),
            (set(&[Federated, SoftwareKey]), &["fed", "swk", "mfa"]),
            (set(&[Password, SoftwareKey, UserVerified]), &["pwd", "swk", "user", "mfa"]),
            (set(&[Password, UserVerified]), &["pwd", "user"]),
        ] {
            assert_eq!(methods.amr(), amr);
            assert_eq!(methods.are_multi_factor(), amr.contains(&"mfa"), "{amr:?}");
        }
        assert_eq!(Methods::from_amr(["face", "pwd", "Fed", ""]), Methods::from(Password), "unknown names");
    }

    proptest! {
        #[test]
        fn claim_keeps_all(methods in proptest::collection::vec(0_usize..7, 0..6)) {
            let add = |set: Methods, index| match Method::ALL.get(index) {
                Some(method) => set.with(*method),
                None => set.with_provider_factors(),
            };
            let set = methods.iter().copied().fold(Methods::default(), add);
            prop_assert_eq!(Methods::from_amr(set.amr()), set);
            prop_assert_eq!(Methods::from_amr(set.amr().into_iter().rev()), set);
        }
    }
}
