//! Certificate authority for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// Certificate authority. Only clients that are given its certificate trust it.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Certificate.
    pub certificate: String,
    /// Private key.
    pub key: String,
    /// Certificate of the issuer.
    pub authority: String,
}

impl Authority {
    /// Creates an authority.
    #[must_use]
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, "An authority of tests");
        Self(CertifiedIssuer::self_signed(parameters, key()).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Issues a certificate for host names and IP addresses.
    #[must_use]
    pub fn issue(&self, hosts: &[&str]) -> Issued {
        self.sign(hosts, |_| {})
    }

    /// Issues an expired certificate.
    #[must_use]
    pub fn issue_expired(&self, hosts: &[&str]) -> Issued {
        self.sign(hosts, |parameters| {
            parameters.not_before = date_time_ymd(2020, 1, 1);
            parameters.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    /// Returns the authority's certificate in PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap_or_else(|error| panic!("{error}"));
        parameters.use_authority_key_identifier_extension = true;
        change(&mut parameters);
        let key = key();
        let certificate = parameters.signed_by(&key, &self.0).unwrap_or_else(|error| panic!("{error}"));
        Issued { certificate: certificate.pem(), key: key.serialize_pem(), authority: self.certificate() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|error| panic!("{error}"))
}
