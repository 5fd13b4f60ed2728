//! Public ids of factors and trusted devices.

use crate::public_id::public_id;

public_id! {
    /// Id of a second factor, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::mfa::FactorId;
    /// let id = FactorId::from_random([0xab; 16]);
    /// assert_eq!(id.to_string(), "abababababab4bababababababababab");
    /// assert_eq!(FactorId::parse(&id.to_string()), Some(id));
    /// assert_eq!(FactorId::parse("abababab-abab-4bab-abab-abababababab"), None);
    /// ```
    FactorId
}

public_id! {
    /// Id of a trusted device, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::mfa::TrustedDeviceId;
    /// let id = TrustedDeviceId::from_random([0xab; 16]);
    /// assert_eq!(TrustedDeviceId::parse(&id.to_string()), Some(id));
    /// assert_eq!(TrustedDeviceId::parse(&id.to_string().to_uppercase()), None);
    /// ```
    TrustedDeviceId
}
