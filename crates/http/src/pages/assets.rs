//! Static files of the pages, embedded in the binary. `assets/README.md` lists the sources of
//! third-party files.

use super::page::PageContent;

/// A static file.
pub(super) struct Asset {
    pub(super) media_type: &'static str,
    pub(super) compressed: bool,
    pub(super) bytes: &'static [u8],
}

/// Style sheet of the account pages. The name contains its version, so the content never changes.
pub(super) const STYLE: &str = "style-3.css";

/// Icon of the pages in a browser's tab.
pub(super) const ICON: &str = "icon-1.svg";

/// Script of the pages that use passkeys.
pub(super) const PASSKEYS: &str = "passkeys-1.js";

const SVG: &str = "image/svg+xml";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

impl Asset {
    /// Returns the file with this name, or `None`. Names contain the version of the file.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "swagger-ui-5.35.0.js" => Self::gzip(JAVASCRIPT, include_bytes!("../../assets/swagger-ui-bundle.js.gz")),
            "swagger-ui-5.35.0.css" => Self::gzip(CSS, include_bytes!("../../assets/swagger-ui.css.gz")),
            "redoc-2.5.4.js" => Self::gzip(JAVASCRIPT, include_bytes!("../../assets/redoc.standalone.js.gz")),
            "swagger-init-2.js" => Self::plain(JAVASCRIPT, include_bytes!("../../assets/swagger-init.js")),
            STYLE => Self::plain(CSS, include_bytes!("../../assets/account.css")),
            ICON => Self::plain(SVG, include_bytes!("../../assets/icon.svg")),
            PASSKEYS => Self::plain(JAVASCRIPT, include_bytes!("../../assets/passkeys.js")),
            "redoc-init-2.js" => Self::plain(JAVASCRIPT, include_bytes!("../../assets/redoc-init.js")),
            _ => return None,
        })
    }

    fn gzip(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { media_type, compressed: true, bytes }
    }

    fn plain(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { media_type, compressed: false, bytes }
    }
}

impl PageContent<'_> {
    /// The Swagger UI page. `up` is the relative path to the root of the service: all URLs are relative,
    /// since the service may be served below a path.
    pub(super) const fn swagger_ui(up: &'static str) -> Self {
        let scripts = ["swagger-ui-5.35.0.js", "swagger-init-2.js"];
        Self::ApiViewer { up, viewer_style: Some("swagger-ui-5.35.0.css"), root: "swagger-ui", scripts }
    }

    /// The ReDoc page, with `up` as for [`swagger_ui`](Self::swagger_ui).
    pub(super) const fn redoc(up: &'static str) -> Self {
        Self::ApiViewer { up, viewer_style: None, root: "redoc", scripts: ["redoc-2.5.4.js", "redoc-init-2.js"] }
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
}
