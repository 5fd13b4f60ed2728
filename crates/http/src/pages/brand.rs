//! What the pages of a service have in common: the operator's style sheet and logo.

use super::assets::{ICON, STYLE};
use serde::Serialize;

/// Name of the operator's style sheet among the assets.
pub(super) const OWN_STYLE: &str = "own.css";
/// Name of the operator's logo among the assets.
pub(super) const LOGO: &str = "logo";

/// The operator's style sheet and logo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brand {
    /// Style sheet, applied after the built-in one.
    pub style: Option<String>,
    /// Logo at the top of each page. Without one, the pages display the name of the service.
    pub logo: Option<Logo>,
}

/// An image that the pages display.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl Logo {
    /// Recognizes an SVG, PNG, JPEG or WebP image by its first bytes. Returns `None` for any other file.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let media_type = match () {
            () if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
            () if bytes.starts_with(b"\xff\xd8\xff") => "image/jpeg",
            () if is_webp => "image/webp",
            () if std::str::from_utf8(&bytes).is_ok_and(is_svg) => "image/svg+xml",
            () => return None,
        };
        Some(Self { media_type, bytes })
    }
}

/// Returns whether the first element of a document is `svg`.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    for (start, end) in [("<?xml", "?>"), ("<!DOCTYPE", ">"), ("<!--", "-->")].repeat(2) {
        if rest.starts_with(start) {
            rest = rest.split_once(end).map_or("", |(_, after)| after.trim_start());
        }
    }
    rest.strip_prefix("<svg").is_some_and(|after| after.starts_with(|c: char| c.is_whitespace() || c == '>'))
}

/// Variables of the layout that are the same on each page of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Site {
    built_in_style: &'static str,
    style: Option<&'static str>,
    logo: Option<&'static str>,
    icon: &'static str,
    /// True if people can sign in with another service.
    has_providers: bool,
}

impl Site {
    /// Returns the variables. The logo is also the icon of the browser's tab.
    pub(super) fn new(brand: &Brand, has_providers: bool) -> Self {
        let (style, logo) = (brand.style.as_ref().map(|_| OWN_STYLE), brand.logo.as_ref().map(|_| LOGO));
        Self { built_in_style: STYLE.name(), style, logo, icon: logo.unwrap_or_else(|| ICON.name()), has_providers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_recognized_by_their_content() {
        for (bytes, media_type) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0....", Some("image/jpeg")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", Some("image/svg+xml")),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a logo -->\n<svg\n>", Some("image/svg+xml")),
            (b"GIF89a", None),
            (b"<html><svg></svg></html>", None),
            (b"<svgx>", None),
            (b"<?xml version=\"1.0\"", None),
            (b"", None),
        ] {
            assert_eq!(Logo::parse(bytes.to_vec()).map(|logo| logo.media_type), media_type, "{bytes:?}");
        }
    }
}
