//! Header fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), which
//! are structured fields (RFC 9651).

use actix_web::http::header::{HeaderName, HeaderValue};
use portcullis_usecases::limits::RateLimited;
use std::time::Duration;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Returns the fields of a rejection: a budget of `q` calls in `w` seconds with `r` left, and `t`
/// seconds until the next call.
pub(crate) fn rate_limit_headers(limited: &RateLimited) -> Vec<(HeaderName, HeaderValue)> {
    let name = limited.budget.as_str();
    let policy = format!("\"{name}\";q={};w={}", limited.policy.quota, whole_seconds(limited.policy.window));
    let state = format!("\"{name}\";r=0;t={}", whole_seconds(limited.retry_after));
    let field = |name, value: String| Some((name, HeaderValue::from_str(&value).ok()?));
    [field(RATE_LIMIT_POLICY, policy), field(RATE_LIMIT, state)].into_iter().flatten().collect()
}

/// Rounds up to whole seconds, at least 1, so that no client retries too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::limits::{Budget, LimitKey, QuotaPolicy};

    #[test]
    fn a_refusal_is_told_in_structured_fields() {
        let limited = RateLimited {
            budget: Budget::Account,
            policy: QuotaPolicy { quota: 10, window: Duration::from_secs(900) },
            key: LimitKey::from_digest(&[7; 32]),
            retry_after: Duration::from_millis(59_001),
        };
        let fields: Vec<_> = rate_limit_headers(&limited)
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(fields, ["ratelimit-policy: \"account\";q=10;w=900", "ratelimit: \"account\";r=0;t=60"]);
    }
}
