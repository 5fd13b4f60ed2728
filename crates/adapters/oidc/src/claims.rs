//! Claims of an ID token (OpenID Connect Core 1.0 §2, §3.1.3.7), read strictly.

use crate::client::{integer, is_true, optional_text, rejected, text};
use crate::config::ProviderConfig;
use crate::discovery::{Metadata, fill};
use chrono::{DateTime, Utc};
use portcullis_domain::providers::{EmailFacts, IdentityKey, ProviderKind};
use portcullis_json::{Json, Object};
use portcullis_ports::ProviderError;

/// Accepted difference between the provider's clock and this one, in seconds.
const LEEWAY: i64 = 60;

/// Rules that a token must satisfy.
pub(crate) struct ClaimRules<'a> {
    pub(crate) config: &'a ProviderConfig,
    pub(crate) metadata: &'a Metadata,
    /// Microsoft: issuer that the key signs for.
    pub(crate) key_issuer: Option<&'a str>,
    /// Whether the further audiences of native apps are accepted.
    pub(crate) is_native: bool,
}

/// Claims of a valid ID token.
pub(crate) struct Claims {
    pub(crate) key: IdentityKey,
    pub(crate) email: EmailFacts,
    pub(crate) nonce: Option<String>,
    pub(crate) at_hash: Option<String>,
    /// Seconds since 1970.
    pub(crate) issued_at: i64,
    /// First second in which the token is refused as expired, since 1970.
    pub(crate) expires_at: i64,
    pub(crate) multi_factor: bool,
}

impl ClaimRules<'_> {
    /// Reads and checks the claims of a payload.
    pub(crate) fn read(&self, payload: &[u8], now: DateTime<Utc>) -> Result<Claims, ProviderError> {
        let claims = Object::parse(payload).ok_or_else(|| rejected("the ID token is malformed"))?;
        let issuer = text(&claims, "iss")?;
        self.check_issuer(&claims, issuer)?;
        self.check_audience(&claims)?;
        let expires_at = integer(&claims, "exp")?.saturating_add(LEEWAY);
        if now.timestamp() >= expires_at {
            return Err(rejected("exp"));
        }
        let issued_at = integer(&claims, "iat")?;
        if issued_at.saturating_sub(LEEWAY) > now.timestamp() {
            return Err(rejected("iat is in the future"));
        }
        if claims.has("nbf") && integer(&claims, "nbf")?.saturating_sub(LEEWAY) > now.timestamp() {
            return Err(rejected("nbf"));
        }
        let key = IdentityKey::new(issuer, text(&claims, "sub")?).ok_or_else(|| rejected("sub"))?;
        let optional = |name| Ok::<_, ProviderError>(optional_text(&claims, name)?.map(str::to_owned));
        Ok(Claims {
            key,
            email: email_facts(&claims, self.config.kind)?,
            nonce: optional("nonce")?,
            at_hash: optional("at_hash")?,
            issued_at,
            expires_at,
            multi_factor: claims.texts("amr").is_some_and(|methods| methods.contains(&"mfa")),
        })
    }

    fn check_issuer(&self, claims: &Object<'_>, issuer: &str) -> Result<(), ProviderError> {
        let tenant = match self.config.kind {
            ProviderKind::Microsoft => Some(text(claims, "tid")?),
            _ => None,
        };
        if self.metadata.issuer_for(tenant) != issuer {
            return Err(rejected("iss"));
        }
        if tenant.is_some() && self.key_issuer.is_some_and(|of_key| fill(of_key, tenant) != issuer) {
            return Err(rejected("the key is of another issuer"));
        }
        let listed = |tenant: &str| self.config.tenants.iter().any(|of| of == "*" || of.eq_ignore_ascii_case(tenant));
        if tenant.is_none_or(listed) { Ok(()) } else { Err(rejected("tid")) }
    }

    fn check_audience(&self, claims: &Object<'_>) -> Result<(), ProviderError> {
        let audience = match claims.0.get("aud") {
            Some(Json::String(one)) => vec![&**one],
            _ => claims.texts("aud").ok_or_else(|| rejected("aud is missing or malformed"))?,
        };
        if !audience.iter().any(|client_id| self.accepts(client_id)) {
            return Err(rejected("aud"));
        }
        match optional_text(claims, "azp")? {
            Some(client_id) if !self.accepts(client_id) => Err(rejected("azp")),
            None if audience.len() > 1 => Err(rejected("several aud without azp")),
            _ => Ok(()),
        }
    }

    fn accepts(&self, client_id: &str) -> bool {
        client_id == self.config.client_id || (self.is_native && self.config.audiences.iter().any(|of| of == client_id))
    }
}

/// Reads what an ID token or `userinfo` says of the email address.
pub(crate) fn email_facts(claims: &Object<'_>, kind: ProviderKind) -> Result<EmailFacts, ProviderError> {
    let hosted_domain = match kind {
        ProviderKind::Google => optional_text(claims, "hd")?.map(str::to_owned),
        _ => None,
    };
    let is_text_true = kind == ProviderKind::Apple && claims.text("email_verified") == Some("true");
    Ok(EmailFacts {
        email: optional_text(claims, "email")?.map(str::to_owned),
        email_verified: is_true(claims, "email_verified") || is_text_true,
        hosted_domain,
        domain_owner_verified: is_true(claims, "xms_edov"),
        primary: false,
    })
}
