//! Which of an error's two faces a caller would rather see, by its `Accept` (RFC 9110 §12.5.1).

use actix_web::http::header::{self, HeaderMap, HeaderValue, Quality, QualityItem, from_comma_delimited};
use actix_web::mime::Mime;

const PROBLEM: &str = "application/problem+json";
const ENVELOPE: &str = "application/json";

/// What a caller said it accepts, kept for when an error comes up. It is read then and no sooner:
/// most requests have no error.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preference {
    first: Option<HeaderValue>,
    /// The header may stand on several lines.
    rest: Vec<HeaderValue>,
}

impl Preference {
    /// What the headers of a request say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::ACCEPT).cloned();
        Self { first: lines.next(), rest: lines.collect() }
    }

    /// Whether the caller would rather have RFC 9457 than the envelope. Qualities decide (§12.4.2);
    /// of two that are equal the one that is named, and of two that are named the first.
    pub(crate) fn is_problem_document(&self) -> bool {
        let lines = self.first.iter().chain(&self.rest);
        let ranges: Vec<QualityItem<Mime>> = from_comma_delimited(lines).unwrap_or_default();
        let (problem, envelope) = (Weight::of(PROBLEM, &ranges), Weight::of(ENVELOPE, &ranges));
        problem.quality > Quality::ZERO
            && (problem.quality, problem.place).cmp(&(envelope.quality, envelope.place)).is_gt()
    }
}

/// How much a caller wants a media type.
struct Weight {
    quality: Quality,
    /// Greater where it is named sooner; zero where it is not named.
    place: usize,
}

impl Weight {
    /// The most specific range that covers the type says so (§12.5.1).
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
