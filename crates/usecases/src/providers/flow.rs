//! Encrypted details of a flow, stored from the start to the callback.

use portcullis_domain::providers::{CodeChallenge, ProviderName, StateDigest};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{SealError, Sealer};
use std::str::FromStr;

/// Details of a flow.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct FlowDetails {
    pub(super) provider: ProviderName,
    /// `redirect_uri` of the client.
    pub(super) redirect_uri: String,
    /// `state` of the client.
    pub(super) state: Option<String>,
    /// `code_challenge` of the client. `None` in a flow that links an identity, which gives no code, and in one of the
    /// account pages.
    pub(super) challenge: Option<CodeChallenge>,
    /// Nonce towards the provider.
    pub(super) nonce: String,
    /// `code_verifier` towards the provider.
    pub(super) verifier: String,
    /// Account and session that began the flow to link an identity.
    pub(super) link: Option<(UserId, SessionId)>,
    /// Account that authenticates again.
    pub(super) again: Option<UserId>,
}

/// Written for a missing field. No hexadecimal text is equal.
const NONE: &str = "-";
/// Number of fields that every flow has.
const FIELDS: usize = 8;

impl FlowDetails {
    /// Returns whether the account pages began the flow.
    pub(super) const fn is_for_pages(&self) -> bool {
        self.challenge.is_none() && self.link.is_none()
    }

    /// Encrypts the details, bound to the row of the flow.
    pub(super) fn seal(&self, state: &StateDigest, sealer: &dyn Sealer) -> Result<Vec<u8>, SealError> {
        sealer.seal(&context(state), self.to_text().as_bytes())
    }

    /// Decrypts the details of a flow.
    pub(super) fn open(state: &StateDigest, sealed: &[u8], sealer: &dyn Sealer) -> Result<Self, SealError> {
        let opened = sealer.open(&context(state), sealed)?;
        str::from_utf8(&opened.plain).ok().and_then(Self::from_text).ok_or(SealError::Damaged)
    }

    /// Writes the fields, those with text from outside in hex.
    fn to_text(&self) -> String {
        let (user, session) = self.link.map_or((NONE.to_owned(), NONE.to_owned()), |(user, session)| {
            (user.get().to_string(), session.to_string())
        });
        let mut fields = vec![
            self.provider.to_string(),
            hex::encode(&self.redirect_uri),
            self.state.as_ref().map_or_else(|| NONE.to_owned(), hex::encode),
            self.challenge.map_or_else(|| NONE.to_owned(), |challenge| hex::encode(challenge.as_bytes())),
            self.nonce.clone(),
            self.verifier.clone(),
            user,
            session,
        ];
        // Replicas of an earlier release read flows without it.
        fields.extend(self.again.map(|user| user.to_string()));
        fields.join(" ")
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut fields: Vec<_> = text.split(' ').collect();
        let again = if fields.len() == FIELDS + 1 { Some(UserId::parse(fields.pop()?)?) } else { None };
        let [provider, redirect_uri, state, challenge, nonce, verifier, user, session]: [&str; FIELDS] =
            fields.try_into().ok()?;
        Some(Self {
            provider: ProviderName::parse(provider)?,
            redirect_uri: unhex(redirect_uri)?,
            state: optional(state, unhex)?,
            challenge: optional(challenge, |text| Some(CodeChallenge::new(hex::FromHex::from_hex(text).ok()?)))?,
            nonce: nonce.to_owned(),
            verifier: verifier.to_owned(),
            link: optional(user, |user| Some((UserId::new(i64::from_str(user).ok()?), SessionId::parse(session)?)))?,
            again,
        })
    }
}

fn context(state: &StateDigest) -> Vec<u8> {
    format!("sign_in_flows/sealed/{}", hex::encode(state.as_bytes())).into_bytes()
}

fn unhex(text: &str) -> Option<String> {
    String::from_utf8(hex::decode(text).ok()?).ok()
}

fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == NONE { Some(None) } else { read(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_storage() {
        let link = (UserId::new(7), SessionId::from_random([3; 16]));
        let again = Some(UserId::new(7));
        for (state, link, again) in
            [(None, None, None), (Some("a b\n-é".to_owned()), Some(link), None), (Some(String::new()), None, again)]
        {
            let details = FlowDetails {
                provider: ProviderName::parse("corp").unwrap(),
                redirect_uri: "https://app.example.org/back?a=b c".to_owned(),
                state,
                challenge: link.is_none().then(|| CodeChallenge::new([5; 32])),
                nonce: "n".repeat(64),
                verifier: "v".repeat(43),
                link,
                again,
            };
            assert_eq!(FlowDetails::from_text(&details.to_text()), Some(details));
        }
        assert!(FlowDetails::from_text("corp").is_none());
    }
}
