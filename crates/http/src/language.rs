//! Language of a request.

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header, Preference, Quality};
use portcullis_domain::mail::Language;

/// Returns the supported language that the request prefers (RFC 9110 §12.5.4): the one with the highest
/// quality, or the first of several. Returns English if none matches. Regions are ignored: `pt-BR`
/// matches Portuguese.
pub(crate) fn language(request: &HttpRequest) -> Language {
    let Ok(mut accepted) = AcceptLanguage::parse(request) else { return Language::default() };
    accepted.retain(|range| range.quality > Quality::ZERO);
    let supported = accepted.ranked().into_iter().find_map(|range| match range {
        Preference::Any => Some(Language::default()),
        Preference::Specific(tag) => Language::parse(tag.primary_language()),
    });
    supported.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_best_quality_wins_and_of_equals_the_first() {
        for (lines, wanted) in [
            (vec![], Language::English),
            (vec![""], Language::English),
            (vec!["*"], Language::English),
            (vec!["fr-CH, en;q=0.9, de;q=0.7"], Language::French),
            (vec!["nl, de;q=0.5, *;q=0.1"], Language::German),
            (vec!["de;q=0, ;;;"], Language::English),
            (vec!["zh-Hans-CN"], Language::Chinese),
            (vec!["zh-Hant"], Language::Chinese),
            (vec!["PT-br;q=0.31, es;q=0.3"], Language::Portuguese),
            (vec!["PT-br;q=0.3, es ; q=0.31"], Language::Spanish),
            (vec!["de, fr"], Language::German),
            (vec!["de;q=1.001, fr;q=0.1"], Language::French),
            (vec!["de;q=0.0001, fr;q=0.1"], Language::French),
            (vec!["deu, frx"], Language::English),
            (vec!["tlh, *;q=0.5, de;q=0.4"], Language::English),
            (vec!["nl, fr;q=0.5", "zh-TW;q=0.7"], Language::Chinese),
        ] {
            let request = TestRequest::get();
            let request = lines.iter().fold(request, |request, line| request.append_header(("accept-language", *line)));
            assert_eq!(language(&request.to_http_request()), wanted, "{lines:?}");
        }
    }
}
