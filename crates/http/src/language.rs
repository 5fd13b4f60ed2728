//! Language of a request.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;
use portcullis_domain::mail::Language;

/// Returns the supported language that the request prefers. `Accept-Language` may span several lines,
/// which form one list (RFC 9110 §5.3).
pub(crate) fn language(request: &HttpRequest) -> Language {
    let lines = request.headers().get_all(ACCEPT_LANGUAGE).filter_map(|value| value.to_str().ok());
    Language::preferred(&lines.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn several_lines_are_one_list() {
        let request = TestRequest::get().append_header(("Accept-Language", "nl, fr;q=0.5"));
        let request = request.append_header(("Accept-Language", "zh-TW;q=0.7"));
        assert_eq!(language(&request.to_http_request()), Language::Chinese);
        assert_eq!(language(&TestRequest::get().to_http_request()), Language::English);
    }
}
