//! Certificates: an authority of a test's own, and what it issues.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// Issues certificates that nobody trusts who was not told to.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The certificate of who issued it.
    pub authority: String,
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, "An authority of tests");
        Self(CertifiedIssuer::self_signed(parameters, key()).unwrap_or_else(|error| panic!("{error}")))
    }

    /// A certificate for hosts of those names and addresses.
    #[must_use]
    pub fn issue(&self, hosts: &[&str]) -> Issued {
        self.sign(hosts, |_| {})
    }

    /// The same, no longer valid.
    #[must_use]
    pub fn issue_expired(&self, hosts: &[&str]) -> Issued {
        self.sign(hosts, |parameters| {
            parameters.not_before = date_time_ymd(2020, 1, 1);
            parameters.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    /// Its own certificate, in PEM.
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
