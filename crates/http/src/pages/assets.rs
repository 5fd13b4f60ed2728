//! Static files of the pages, embedded in the binary. `assets/README.md` lists the sources of
//! third-party files.

use super::account::escaped;

/// A static file.
pub(super) struct Asset {
    pub(super) media_type: &'static str,
    pub(super) compressed: bool,
    pub(super) bytes: &'static [u8],
}

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
            super::account::STYLE => Self::plain(CSS, include_bytes!("../../assets/account.css")),
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

/// Renders the Swagger UI page. `up` is the relative path to the root of the service: all URLs are
/// relative, since the service may be served below a path.
pub(super) fn docs(title: &str, up: &str) -> String {
    let head = format!("<link rel=\"stylesheet\" href=\"{up}docs/assets/swagger-ui-5.35.0.css\">");
    html(title, up, &head, "swagger-ui", ["swagger-ui-5.35.0.js", "swagger-init-2.js"])
}

/// Renders the ReDoc page, with `up` as for [`docs`].
pub(super) fn redoc(title: &str, up: &str) -> String {
    html(title, up, "", "redoc", ["redoc-2.5.4.js", "redoc-init-2.js"])
}

fn html(title: &str, up: &str, head: &str, root: &str, scripts: [&str; 2]) -> String {
    let title = escaped(title);
    let [program, start] = scripts.map(|name| format!("<script src=\"{up}docs/assets/{name}\"></script>"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>body{{margin:0}}</style>\n{head}\n</head>\n\
         <body>\n<div id=\"{root}\"></div>\n{program}\n{start}\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_page_names_exists_and_title_is_escaped() {
        for (page, up) in [(docs("<b>", ""), ""), (redoc("<b>", "../"), "../")] {
            assert!(page.contains("<title>&lt;b&gt;</title>"));
            let names: Vec<_> =
                page.split(&format!("=\"{up}docs/assets/")).skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(names.len() >= 2);
            for name in names {
                assert!(Asset::named(name).is_some_and(|asset| !asset.bytes.is_empty()), "{name}");
            }
        }
        assert!(Asset::named("../x").is_none());
    }
}
