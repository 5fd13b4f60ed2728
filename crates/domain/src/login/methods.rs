//! Authentication methods: how a user proved who they are.

/// Authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The password.
    Password,
    /// A one-time code of an authenticator app, or a recovery code.
    OneTimeCode,
}

impl Method {
    const ALL: [Self; 2] = [Self::Password, Self::OneTimeCode];

    /// Returns the name in the `amr` claim (RFC 8176 §2).
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimeCode => "otp",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Password => 1,
            Self::OneTimeCode => 2,
        }
    }
}

/// Set of the methods of one authentication.
///
/// ```
/// use portcullis_domain::login::{Method, Methods};
/// let password = Methods::from(Method::Password);
/// assert!(!password.are_multi_factor());
/// let both = password.with(Method::OneTimeCode);
/// assert!(both.are_multi_factor());
/// assert_eq!(both.amr(), ["pwd", "otp", "mfa"]);
/// assert_eq!(Methods::from_amr(both.amr()), both);
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

    /// Adds a method.
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        Self(self.0 | method.bit())
    }

    /// Returns whether the set contains a method.
    #[must_use]
    pub const fn contain(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Returns whether the methods prove two factors: something the user knows and something they have
    /// (NIST SP 800-63B §2.2).
    #[must_use]
    pub const fn are_multi_factor(self) -> bool {
        self.contain(Method::Password) && self.contain(Method::OneTimeCode)
    }

    /// Returns the `amr` claim (RFC 8176 §2).
    #[must_use]
    pub fn amr(self) -> Vec<&'static str> {
        let own = Method::ALL.into_iter().filter(|method| self.contain(*method)).map(Method::as_str);
        own.chain(self.are_multi_factor().then_some(Self::MULTI_FACTOR)).collect()
    }

    /// Reads an `amr` claim. Ignores unknown names, which a newer release may have written.
    #[must_use]
    pub fn from_amr<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |name| Method::ALL.into_iter().find(|method| method.as_str() == name);
        names.into_iter().filter_map(known).fold(Self::default(), Self::with)
    }
}
