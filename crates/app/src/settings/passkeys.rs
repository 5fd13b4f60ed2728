//! Settings of passkeys (WebAuthn).

use super::mail::Mail;
use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use portcullis_domain::passkeys::{OriginError, RelyingParty, RelyingPartyError};
use url::{Host, Url};

const RP_ID: Setting = Setting::new(
    "WEBAUTHN_RP_ID",
    None,
    "a host name in lower case, such as example.org: that of PUBLIC_URL or above it",
);
const ORIGINS: Setting = Setting::new(
    "WEBAUTHN_ORIGINS",
    None,
    "comma-separated origins at or below WEBAUTHN_RP_ID, or related to it, such as https://example.org or \
     android:apk-key-hash:…",
);
const RELATED_ORIGINS: Setting = Setting::new(
    "WEBAUTHN_RELATED_ORIGINS",
    None,
    "comma-separated origins on other domains, such as https://example.net",
);

/// A valid RP ID, to check other settings without one.
const LOCALHOST: &str = "localhost";

pub(super) const SETTINGS: [Setting; 3] = [RP_ID, ORIGINS, RELATED_ORIGINS];

/// Settings of passkeys.
#[derive(Debug)]
pub(crate) struct Passkeys {
    /// The service towards browsers. `None`: passkeys are off, because `PUBLIC_URL` has no host name.
    pub(crate) party: Option<RelyingParty>,
    /// Origins on other domains that may use the passkeys.
    pub(crate) related_origins: Vec<String>,
}

impl Passkeys {
    pub(super) fn read(sources: &Sources, mail: &Mail, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let id = sources.optional(&RP_ID, |text| Ok::<_, InvalidValue>(text.to_owned()))?;
        let origins = sources.optional(&ORIGINS, read_origins)?;
        let related_origins = sources.optional(&RELATED_ORIGINS, read_related)?.unwrap_or_default();
        let Some(id) = id.or_else(|| default_id(mail)) else {
            return Ok(Self { party: None, related_origins: Vec::new() });
        };
        let is_default = origins.is_none();
        let origins = origins.unwrap_or_else(|| vec![mail.public_origin.clone()]);
        let party = RelyingParty::new(id, origins, &related_origins).map_err(|error| match error {
            RelyingPartyError::Id => RP_ID.invalid(error),
            _ if is_default => {
                ORIGINS.invalid("is not set, and passkeys of WEBAUTHN_RP_ID cannot be used at PUBLIC_URL")
            }
            _ => ORIGINS.invalid(error),
        })?;
        if !related_origins.iter().all(|related| party.origins.contains(related)) {
            let what = "WEBAUTHN_RELATED_ORIGINS has an origin that WEBAUTHN_ORIGINS lacks: its sign-ins are refused";
            warnings.push(Warning::new(what, "add it to WEBAUTHN_ORIGINS"));
        }
        Ok(Self { party: Some(party), related_origins })
    }
}

/// Returns the host of `PUBLIC_URL`, or `None` if it is an IP address.
fn default_id(mail: &Mail) -> Option<String> {
    let url = Url::parse(&mail.public_url).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    // A name that no browser accepts must not stop a service without passkeys.
    RelyingParty::new(host.to_owned(), vec![mail.public_origin.clone()], &[]).is_ok().then(|| host.to_owned())
}

/// Reads the origins, whatever the RP ID is.
fn read_origins(text: &str) -> Result<Vec<String>, RelyingPartyError> {
    let origins = list(text);
    for (position, origin) in (1..).zip(&origins) {
        match RelyingParty::new(LOCALHOST.to_owned(), vec![origin.clone()], &[]) {
            Ok(_) | Err(RelyingPartyError::Origin(_, OriginError::Foreign)) => {}
            Err(RelyingPartyError::Origin(_, reason)) => return Err(RelyingPartyError::Origin(position, reason)),
            Err(error) => return Err(error),
        }
    }
    Ok(origins)
}

fn read_related(text: &str) -> Result<Vec<String>, RelyingPartyError> {
    let related = list(text);
    RelyingParty::new(LOCALHOST.to_owned(), vec![format!("https://{LOCALHOST}")], &related)?;
    Ok(related)
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::tests::SECRET;
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<(Option<RelyingParty>, Vec<String>, usize), String> {
        let sources = Sources::of(&[environment, &[("SECRET_KEY", SECRET)]].concat());
        let settings = Settings::read(&sources).map_err(|error| error.to_string())?;
        let Passkeys { party, related_origins } = &settings.passkeys;
        Ok((party.clone(), related_origins.clone(), settings.warnings.len()))
    }

    fn party(id: &str, origins: &[&str]) -> Option<RelyingParty> {
        Some(RelyingParty { id: id.to_owned(), origins: origins.iter().map(ToString::to_string).collect() })
    }

    #[test]
    fn relying_party_follows_public_url() {
        for (environment, expected) in [
            (&[][..], None),
            (&[("PUBLIC_URL", "https://192.0.2.1")], None),
            (&[("PUBLIC_URL", "https://[2001:db8::1]")], None),
            (&[("PUBLIC_URL", "http://localhost:8000")], party("localhost", &["http://localhost:8000"])),
            (&[("PUBLIC_URL", "https://Id.example.org/auth")], party("id.example.org", &["https://id.example.org"])),
            (
                &[("PUBLIC_URL", "https://id.example.org"), ("WEBAUTHN_RP_ID", "example.org")],
                party("example.org", &["https://id.example.org"]),
            ),
            (
                &[
                    ("WEBAUTHN_RP_ID", "example.org"),
                    ("WEBAUTHN_ORIGINS", "https://example.org, https://a.example.org"),
                ],
                party("example.org", &["https://example.org", "https://a.example.org"]),
            ),
        ] {
            assert_eq!(read(environment), Ok((expected, Vec::new(), 0)), "{environment:?}");
        }
    }

    #[test]
    fn foreign_origin_stops_the_start_unless_it_is_related() {
        const PUBLIC: (&str, &str) = ("PUBLIC_URL", "https://id.example.org");
        let origins = ("WEBAUTHN_ORIGINS", "https://id.example.org,https://example.net");
        let related = ("WEBAUTHN_RELATED_ORIGINS", "https://example.net");
        for (environment, what) in [
            (&[PUBLIC, origins][..], "WEBAUTHN_ORIGINS: entry 2 is foreign"),
            (&[PUBLIC, ("WEBAUTHN_RP_ID", "example.net")], "WEBAUTHN_ORIGINS: is not set, and"),
            (&[("WEBAUTHN_RP_ID", "192.0.2.1")], "WEBAUTHN_RP_ID: is not a host name"),
            (
                &[PUBLIC, ("WEBAUTHN_RELATED_ORIGINS", "example.net")],
                "WEBAUTHN_RELATED_ORIGINS: entry 1 has no known scheme",
            ),
        ] {
            let error = read(environment).unwrap_err();
            assert!(error.starts_with(what), "{error}");
        }
        let (party, listed, warnings) = read(&[PUBLIC, origins, related]).unwrap();
        assert_eq!((party.unwrap().origins.len(), listed.len(), warnings), (2, 1, 0));
        assert_eq!(read(&[PUBLIC, related]).unwrap().2, 1, "it is served but not accepted");
    }
}
