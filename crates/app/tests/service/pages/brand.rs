//! The operator's style sheet and logo.

use super::Visitor;
use crate::prelude::*;
use std::fs;

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";

#[test]
fn c5_31_the_operators_files_are_on_every_page() {
    let folder = fresh_folder();
    let path = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let (style, logo) = (path("brand.css", ":root { --accent: #060; }"), path("logo", LOGO));
    let service = Backend::Sqlite.service().set("PAGE_STYLE", &style).set("PAGE_LOGO", &logo).start();
    let account = service.account();
    let mut visitor = Visitor::signed_in(&service, &account);
    for (page, folder) in
        [("/", "account/"), ("/account", "account/"), ("/account/security", ""), ("/account/reset", "")]
    {
        let html = visitor.open(page).page(200);
        let own = format!("<link rel=\"stylesheet\" href=\"{folder}assets/own.css\">");
        assert!(html.find("assets/style-") < html.find(&own), "after the built-in one: {html}");
        assert!(html.contains(&format!("<img src=\"{folder}assets/logo\" alt=\"Portcullis\">")), "{html}");
    }
    for (name, media_type, content) in
        [("own.css", "text/css; charset=utf-8", ":root { --accent: #060; }"), ("logo", "image/svg+xml", LOGO)]
    {
        let file = service.get(&format!("/account/assets/{name}"));
        assert_eq!((file.status, file.header("Content-Type"), file.text()), (200, Some(media_type), content));
        assert_eq!(file.header("Cache-Control"), Some("public, max-age=600"));
        assert_eq!(file.header("X-Content-Type-Options"), Some("nosniff"));
        let policy = file.header("Content-Security-Policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.ends_with("; sandbox"),
            "no script runs: {policy}"
        );
    }
}

#[test]
fn c5_31_without_them_the_pages_have_the_name_of_the_service() {
    let service = Backend::Sqlite.service().set("APP_NAME", "Gate & Co").start();
    let html = service.get("/account/login").page(200);
    assert!(html.contains("<p class=\"brand\">Gate & Co</p>") && !html.contains("own.css"), "{html}");
    let icon = html.split("rel=\"icon\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(service.get(&format!("/account/{icon}")).header("Content-Type"), Some("image/svg+xml"));
    for name in ["own.css", "logo"] {
        assert_eq!(service.get(&format!("/account/assets/{name}")).status, 404);
    }
}
