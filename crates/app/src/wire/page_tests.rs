//! Every page in every language. Compares the output with the files under `tests/pages`;
//! docs/development/testing.md says how to accept changes.

use super::pages::PageTemplates;
use portcullis_domain::mail::Language;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_http::{Page, PageRenderer};
use portcullis_minijinja::MinijinjaRenderer;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

const HOSTILE: &str = "\"'><script>alert('&')</script>{{ app_name }}";

/// Renders every page, by its name.
fn pages(product: &str, language: Language, text: &str) -> BTreeMap<String, String> {
    let renderer = MinijinjaRenderer::new(product, &PasswordPolicy::with_min_chars(8), None).unwrap();
    let templates = PageTemplates(Arc::new(renderer));
    let samples = Page::samples(language, text).into_iter();
    samples.map(|(name, page)| (name, templates.render(&page).unwrap())).collect()
}

#[test]
fn pages_are_as_recorded() {
    let mut recorded = BTreeMap::<_, String>::new();
    for language in Language::ALL {
        for (name, html) in pages("Zugang & Co", language, "ada@example.org") {
            writeln!(recorded.entry(name).or_default(), "===== {}\n{html}", language.tag()).unwrap();
        }
    }
    // The names of assets change with their content.
    let filters = [(r"(style|icon|passkeys|swagger-init|redoc-init)-[0-9a-f]{8}\.", "$1-….")];
    let folder = "../../tests/pages";
    insta::with_settings!({ snapshot_path => folder, prepend_module_to_snapshot => false, filters => filters }, {
        for (name, html) in recorded {
            insta::assert_snapshot!(name, html);
        }
    });
}

#[test]
fn no_text_becomes_markup() {
    let escaped = "&quot;&#x27;&gt;&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;{{ app_name }}";
    let (plain, hostile) = (pages("Gate", Language::English, "ada"), pages(HOSTILE, Language::English, HOSTILE));
    for (name, html) in hostile {
        assert!(html.contains(&format!("{escaped}</title>")), "{html}");
        // Without the hostile text, the page is the same.
        assert_eq!(html.replace(escaped, "*"), plain[&name].replace("Gate", "*").replace("ada", "*"), "{name}");
    }
}
