//! Content negotiation for errors: envelope or problem document, by `Accept` (RFC 9110 §12.5.1).

use actix_web::http::header::{self, HeaderMap, HeaderValue, Quality, QualityItem, from_comma_delimited};
use actix_web::mime::Mime;

const PROBLEM: &str = "application/problem+json";
const ENVELOPE: &str = "application/json";

/// The client's `Accept` header. Parsed only if an error occurs, since most requests have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preference {
    first: Option<HeaderValue>,
    /// Further lines of a repeated header.
    rest: Vec<HeaderValue>,
}

impl Preference {
    /// Copies the `Accept` header of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::ACCEPT).cloned();
        Self { first: lines.next(), rest: lines.collect() }
    }

    /// Returns whether the client prefers a problem document (RFC 9457) to the envelope. The higher
    /// quality wins (§12.4.2). At equal quality an explicitly named type wins; if both are named, the
    /// first.
    pub(crate) fn is_problem_document(&self) -> bool {
        let lines = self.first.iter().chain(&self.rest);
        let ranges: Vec<QualityItem<Mime>> = from_comma_delimited(lines).unwrap_or_default();
        let (problem, envelope) = (Weight::of(PROBLEM, &ranges), Weight::of(ENVELOPE, &ranges));
        problem.quality > Quality::ZERO
            && (problem.quality, problem.place).cmp(&(envelope.quality, envelope.place)).is_gt()
    }
}

/// A client's preference for a media type.
struct Weight {
    quality: Quality,
    /// Higher for a type that is named earlier; 0 if it is not named.
    place: usize,
}

impl Weight {
    /// Returns the weight that the most specific matching range gives to the type (§12.5.1).
    fn of(media_type: &str, ranges: &[QualityItem<Mime>]) -> Self {
        let find = |range: &str| ranges.iter().position(|item| item.item.essence_str() == range);
        let named = find(media_type);
        let covering = named.or_else(|| find("application/*")).or_else(|| find("*/*"));
        let quality = covering.and_then(|at| ranges.get(at)).map_or(Quality::ZERO, |item| item.quality);
        Self { quality, place: named.map_or(0, |at| ranges.len() - at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(lines: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|line| headers.append(header::ACCEPT, HeaderValue::from_static(line)));
        Preference::of(&headers).is_problem_document()
    }

    #[test]
    fn the_greater_quality_wins() {
        for (accept, wins) in [
            ("application/problem+json;q=0.501, application/json;q=0.5", true),
            ("application/problem+json;q=0.499, application/json;q=0.5", false),
            ("application/problem+json;q=0.001", true),
            ("application/problem+json;q=0", false),
            ("application/problem+json;q=0, application/*", false),
            ("application/json;q=0.9, application/problem+json", true),
            ("application/problem+json;q=0.5, */*", false),
            ("*/*, application/json;q=0.1", true),
            ("application/*;q=0.2, application/json;q=0.1, */*", true),
            ("application/json;q=0, */*;q=0.1", true),
        ] {
            assert_eq!(prefers(&[accept]), wins, "{accept}");
        }
    }

    #[test]
    fn of_equals_the_named_one_wins_and_of_two_named_the_first() {
        assert!(prefers(&["application/problem+json, */*"]));
        assert!(prefers(&["*/*, application/problem+json;charset=utf-8"]));
        assert!(prefers(&["application/problem+json, application/json"]));
        assert!(!prefers(&["application/json, application/problem+json"]));
        assert!(!prefers(&["application/json, */*"]));
    }

    #[test]
    fn several_lines_are_one_list_and_what_is_damaged_is_left_out() {
        assert!(prefers(&["application/json;q=0.5", "application/problem+json"]));
        assert!(prefers(&["application/problem+json, application/json;q=2, ;;, x"]));
        for lines in [&[][..], &[""], &["*/*"], &["application/*"], &["nonsense"], &["application/problem+json;q=x"]] {
            assert!(!prefers(lines), "{lines:?}");
        }
    }
}
