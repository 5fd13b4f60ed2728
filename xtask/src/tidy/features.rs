//! Checks that each feature has one name: the same word for its folder in `domain`, `usecases` and
//! `http`, its test file and its page under docs/features. The folders of `usecases` define the
//! features.

use std::collections::BTreeSet;

/// All allowed feature names.
const WORDS: [&str; 15] = [
    "registration",
    "login",
    "tokens",
    "sessions",
    "limits",
    "recovery",
    "verification",
    "mail",
    "keys",
    "maintenance",
    "health",
    "mfa",
    "providers",
    "passkeys",
    "account-pages",
];

/// Features without routes: timers and operators call them.
const WITHOUT_ROUTES: [&str; 2] = ["maintenance", "mail"];

/// Features without a domain module: recovery uses the passwords of registration and the links of
/// verification.
const WITHOUT_WORDS: [&str; 1] = ["recovery"];

const PAGES: &str = "docs/features/";

pub(super) fn faults(paths: &[&str]) -> Vec<String> {
    let features: BTreeSet<&str> = paths.iter().filter_map(|path| folder(path, "crates/usecases/src/")).collect();
    let mut faults = Vec::new();
    for feature in features {
        if !WORDS.contains(&feature) {
            faults.push(format!("crates/usecases/src/{feature}: not a feature name (see xtask/src/tidy/features.rs)"));
        }
        for place in ["crates/domain/src", "crates/http/src"] {
            let there = |path: &&str| folder(path, &format!("{place}/")) == Some(feature);
            let spared = match place {
                "crates/http/src" => WITHOUT_ROUTES.contains(&feature),
                _ => WITHOUT_WORDS.contains(&feature),
            };
            if !spared && !paths.iter().any(there) && !paths.contains(&format!("{place}/{feature}.rs").as_str()) {
                faults.push(format!("{place}/{feature}: missing for the feature in usecases"));
            }
        }
        for file in [format!("crates/usecases/tests/it/{feature}.rs"), format!("{PAGES}{feature}.md")] {
            if !paths.contains(&file.as_str()) {
                faults.push(format!("{file}: missing for the feature in usecases"));
            }
        }
    }
    let pages = paths.iter().filter_map(|path| path.strip_prefix(PAGES)?.strip_suffix(".md"));
    let strange = pages.filter(|page| !WORDS.contains(page) && *page != "README");
    faults.extend(strange.map(|page| format!("{PAGES}{page}.md: not a feature name")));
    faults
}

/// Returns the folder directly under `below` that contains the file.
fn folder<'a>(path: &'a str, below: &str) -> Option<&'a str> {
    path.strip_prefix(below)?.split_once('/').map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: [&str; 5] = [
        "crates/usecases/src/login/password.rs",
        "crates/usecases/tests/it/login.rs",
        "crates/domain/src/login/mod.rs",
        "crates/http/src/login.rs",
        "docs/features/login.md",
    ];

    #[test]
    fn a_feature_has_all_its_places() {
        assert_eq!(faults(&LOGIN), Vec::<String>::new());
        for missing in LOGIN.iter().skip(1) {
            let rest: Vec<&str> = LOGIN.iter().filter(|path| path != &missing).copied().collect();
            assert_eq!(faults(&rest).len(), 1, "{missing}");
        }
    }

    #[test]
    fn a_word_that_is_no_feature_is_told() {
        assert_eq!(faults(&["crates/usecases/src/signin/password.rs"]).len(), 5);
        assert_eq!(faults(&["docs/features/signin.md"]).len(), 1);
    }
}
