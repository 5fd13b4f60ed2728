//! Static files of the pages, embedded in the binary. `assets/README.md` lists the sources of
//! third-party files.

use super::page::PageContent;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// A static file.
pub(super) struct Asset {
    pub(super) media_type: &'static str,
    pub(super) compressed: bool,
    pub(super) bytes: &'static [u8],
}

/// Style sheet of the account pages.
pub(super) static STYLE: Own = Own::new("style", "css", include_bytes!("../../assets/account.css"));

/// Icon of the pages in a browser's tab.
pub(super) static ICON: Own = Own::new("icon", "svg", include_bytes!("../../assets/icon.svg"));

/// Script of the pages that use passkeys.
pub(super) static PASSKEYS: Own = Own::new("passkeys", "js", include_bytes!("../../assets/passkeys.js"));

static SWAGGER_INIT: Own = Own::new("swagger-init", "js", include_bytes!("../../assets/swagger-init.js"));
static REDOC_INIT: Own = Own::new("redoc-init", "js", include_bytes!("../../assets/redoc-init.js"));

const SVG: &str = "image/svg+xml";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// File of this crate. Browsers keep a file for a year, so its name changes with its content.
pub(super) struct Own {
    stem: &'static str,
    extension: &'static str,
    bytes: &'static [u8],
    name: OnceLock<String>,
}

impl Own {
    const fn new(stem: &'static str, extension: &'static str, bytes: &'static [u8]) -> Self {
        Self { stem, extension, bytes, name: OnceLock::new() }
    }

    /// Returns the name, which contains the start of the content's SHA-256 digest.
    pub(super) fn name(&'static self) -> &'static str {
        self.name.get_or_init(|| {
            let digest: [u8; 32] = Sha256::digest(self.bytes).into();
            let [first, second, third, fourth, ..] = digest;
            let version = u32::from_be_bytes([first, second, third, fourth]);
            format!("{}-{version:08x}.{}", self.stem, self.extension)
        })
    }

    fn asset(&self) -> Asset {
        let media_type = match self.extension {
            "css" => CSS,
            "svg" => SVG,
            _ => JAVASCRIPT,
        };
        Asset { media_type, compressed: false, bytes: self.bytes }
    }
}

impl Asset {
    /// Returns the file with this name, or `None`. Names contain the version of the file.
    pub(super) fn named(name: &str) -> Option<Self> {
        let own = [&STYLE, &ICON, &PASSKEYS, &SWAGGER_INIT, &REDOC_INIT];
        if let Some(own) = own.into_iter().find(|own| own.name() == name) {
            return Some(own.asset());
        }
        Some(match name {
            "swagger-ui-5.35.0.js" => Self::gzip(JAVASCRIPT, include_bytes!("../../assets/swagger-ui-bundle.js.gz")),
            "swagger-ui-5.35.0.css" => Self::gzip(CSS, include_bytes!("../../assets/swagger-ui.css.gz")),
            "redoc-2.5.4.js" => Self::gzip(JAVASCRIPT, include_bytes!("../../assets/redoc.standalone.js.gz")),
            _ => return None,
        })
    }

    fn gzip(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { media_type, compressed: true, bytes }
    }
}

impl PageContent<'_> {
    /// The Swagger UI page. `up` is the relative path to the root of the service: all URLs are relative,
    /// since the service may be served below a path.
    pub(super) fn swagger_ui(up: &'static str) -> Self {
        let scripts = ["swagger-ui-5.35.0.js", SWAGGER_INIT.name()];
        Self::ApiViewer { up, viewer_style: Some("swagger-ui-5.35.0.css"), root: "swagger-ui", scripts }
    }

    /// The ReDoc page, with `up` as for [`swagger_ui`](Self::swagger_ui).
    pub(super) fn redoc(up: &'static str) -> Self {
        Self::ApiViewer { up, viewer_style: None, root: "redoc", scripts: ["redoc-2.5.4.js", REDOC_INIT.name()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_viewer_names_exists() {
        for viewer in [PageContent::swagger_ui(""), PageContent::redoc("")] {
            let PageContent::ApiViewer { viewer_style, scripts, .. } = viewer else { unreachable!() };
            for name in scripts.into_iter().chain(viewer_style) {
                assert!(Asset::named(name).is_some_and(|asset| !asset.bytes.is_empty()), "{name}");
            }
        }
        assert!(Asset::named("../x").is_none());
    }

    #[test]
    fn name_of_an_own_file_changes_with_its_content() {
        static OTHER: Own = Own::new("style", "css", b"other");
        for (own, start) in [(&STYLE, "style-"), (&ICON, "icon-"), (&PASSKEYS, "passkeys-")] {
            assert!(own.name().starts_with(start));
            assert_eq!(Asset::named(own.name()).unwrap().bytes, own.bytes);
        }
        assert_eq!(OTHER.name(), "style-d9298a10.css");
        assert!(Asset::named(OTHER.name()).is_none());
    }
}
