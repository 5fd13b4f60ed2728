//! Joins the pages of `portcullis-http` to their templates.

use portcullis_http::{Page, PageRenderer};
use portcullis_minijinja::MinijinjaRenderer;
use std::sync::Arc;

/// Renders the pages from templates.
pub(super) struct PageTemplates(pub(super) Arc<MinijinjaRenderer>);

impl PageRenderer for PageTemplates {
    fn render(&self, page: &Page<'_>) -> Result<String, String> {
        self.0.render_page(page.language, page.template(), page).map_err(|error| error.to_string())
    }
}
