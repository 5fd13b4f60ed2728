//! Path on this origin that a browser goes on to after a sign-in.

/// A path with an optional query. It stays on the origin of the page that names it, in every browser.
///
/// ```
/// use portcullis_domain::login::LocalPath;
/// let path = LocalPath::parse("/account/sessions?page=2");
/// assert_eq!(path.as_ref().map(LocalPath::as_str), Some("/account/sessions?page=2"));
/// assert_eq!(LocalPath::parse("https://evil.example/"), None);
/// assert_eq!(LocalPath::parse("//evil.example/"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Maximum length in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// Parses a path that starts with exactly one slash. Returns `None` for any other text, and for one with a
    /// backslash, which browsers read as a slash, or a character that a URL must encode: browsers remove tabs and
    /// line breaks (WHATWG URL §4.4).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'`');
        let one_slash = text.starts_with('/') && !text.starts_with("//");
        (one_slash && text.len() <= Self::MAX_BYTES && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// Returns the path as spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_other_origins_are_refused() {
        for bad in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/account\\..",
            "\\/evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            " /account",
            "/\t/evil.example",
            "\t//evil.example",
            "/\r\nlocation: https://evil.example",
            "/a b",
            "/é",
            "/\u{0}",
            "/\u{7f}",
            "/\u{2215}evil.example",
        ] {
            assert_eq!(LocalPath::parse(bad), None, "{bad:?}");
        }
        assert!(LocalPath::parse(&format!("/{}", "a".repeat(LocalPath::MAX_BYTES))).is_none());
        for good in ["/", "/account", "/account/login?continue=%2Faccount&a=b", "/a//b", "/@evil.example", "/:80"] {
            assert!(LocalPath::parse(good).is_some(), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_names_no_host(text in "[/\\\\a:@.\\t\\n ?#]{0,12}") {
            if let Some(path) = LocalPath::parse(&text) {
                prop_assert!(path.as_str().starts_with('/') && !path.as_str().starts_with("//"));
                prop_assert!(path.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
            }
        }
    }
}
