//! Checks Rust sources: the `//!` line, file names, and banned words. Repeats rules of clippy only for
//! what it does not see: comments, examples and code behind a `cfg`.

use super::File;

/// Words banned in all sources. Assembled with `concat!`, so that this file does not contain them.
const BANNED: [(&str, &str); 6] = [
    (concat!("todo", "!("), "unfinished"),
    (concat!("unimplemented", "!("), "unfinished"),
    (concat!("FIX", "ME"), "unfinished"),
    (concat!("XX", "X"), "unfinished"),
    (concat!("#[ign", "ore"), "a test that does not run"),
    (concat!("[al", "low("), "write #[expect(…, reason = \"…\")]"),
];

/// Words banned in the sources of the service, outside tests.
const BANNED_IN_SERVICE: [(&str, &str); 4] = [
    (".unwrap()", "can panic: return an error"),
    (".expect(", "can panic: return an error"),
    ("eprintln!(", "do not print: log, or write to the stream that was passed"),
    ("println!(", "do not print: log, or write to the stream that was passed"),
];

const VAGUE_FILE_NAMES: [&str; 3] = ["utils", "common", "helpers"];

pub(super) fn faults(file: &File) -> Vec<String> {
    if file.path.ends_with("/Cargo.toml") && !file.text.contains("[lints]\nworkspace = true\n") {
        return vec![file.fault(1, "must contain `[lints]` with `workspace = true`")];
    }
    if !file.is_rust() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if !file.text.starts_with("//!") {
        faults.push(file.fault(1, "must open with a `//!` comment"));
    }
    let mut names = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    if let Some(name) = names.find(|name| VAGUE_FILE_NAMES.contains(name)) {
        faults.push(file.fault(1, &format!("`{name}` is vague: name it after what it does")));
    }
    faults.extend(words(file, file.lines(), &BANNED));
    if is_service(file) {
        faults.extend(words(file, outside_tests(file), &BANNED_IN_SERVICE));
        faults.extend(outside_tests(file).filter_map(|(number, line)| re_export(file, number, line)));
    }
    faults
}

fn words<'a>(file: &File, lines: impl Iterator<Item = (usize, &'a str)>, words: &[(&str, &str)]) -> Vec<String> {
    let found = lines.flat_map(|(number, line)| {
        let found = words.iter().filter(move |(word, _)| holds(line, word));
        found.map(move |(word, why)| file.fault(number, &format!("`{word}`: {why}")))
    });
    found.collect()
}

/// Returns whether a line contains a word that is not part of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric();
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (line.get(..start), line.get(start + word.len()..));
        let joined = before.is_some_and(|text| text.ends_with(letter)) && word.starts_with(letter);
        !(joined || after.is_some_and(|text| text.starts_with(letter)) && word.ends_with(letter))
    })
}

fn re_export(file: &File, number: usize, line: &str) -> Option<String> {
    let export = line.trim_start().trim_start_matches("pub use ::").trim_start_matches("pub use ");
    let another = export.len() < line.trim_start().len() && export.starts_with("portcullis_");
    another.then(|| file.fault(number, "re-export of another crate: import from that crate instead"))
}

/// Returns whether the file is compiled into the service. The testkit and test files are not.
fn is_service(file: &File) -> bool {
    let source = file.path.starts_with("crates/") && file.path.contains("/src/");
    let test = file.path.ends_with("tests.rs") || file.path.contains("/tests/");
    source && !test && !file.path.starts_with("crates/testkit/")
}

/// Returns the lines outside `#[cfg(test)]` items. Relies on rustfmt: an item ends with a line that is
/// indented like its first one, or is one line that ends with a semicolon.
fn outside_tests(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut test: Option<usize> = None;
    file.lines().filter(move |(_, line)| {
        let indent = line.len() - line.trim_start().len();
        let Some(start) = test else {
            let attribute = line.trim_start();
            test = (attribute.starts_with("#[cfg(test)]") || attribute.starts_with("#[cfg(all(test")).then_some(indent);
            return test.is_none();
        };
        let attribute = line.trim_start().starts_with(['#', '/']);
        let last = line.ends_with(';') || line.ends_with('}') || line.ends_with("};");
        if indent == start && last && !attribute {
            test = None;
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        faults(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_source_opens_with_what_it_is_for() {
        assert_eq!(count("xtask/src/a.rs", "//! Adds.\n"), 0);
        assert_eq!(count("xtask/src/a.rs", "fn add() {}\n"), 1);
        assert_eq!(count("crates/a/tests/common/mod.rs", "//! Adds.\n"), 1);
        assert_eq!(count("crates/a/src/utils.rs", "//! Adds.\n"), 1);
    }

    #[test]
    fn words_of_what_is_unfinished_are_told_everywhere() {
        for (word, _) in BANNED {
            assert_eq!(count("crates/a/tests/a.rs", &format!("//! Adds.\n// {word}\n")), 1, "{word}");
        }
    }

    #[test]
    fn a_word_in_a_longer_one_is_another() {
        let word = concat!("XX", "X");
        assert_eq!(count("crates/a/tests/a.rs", &format!("//! Adds.\n// a{word}b {word}Y\n")), 0);
        assert_eq!(count("crates/a/tests/a.rs", &format!("//! Adds.\n// a{word}b {word}: later\n")), 1);
    }

    #[test]
    fn the_service_does_not_panic_and_its_tests_may() {
        let text = "//! Adds.\nfn f() {\n    x.unwrap();\n}\n";
        assert_eq!(count("crates/a/src/a.rs", text), 1);
        assert_eq!(count("crates/adapters/a/src/b/c.rs", text), 1);
        assert_eq!(count("crates/a/tests/a.rs", text), 0);
        assert_eq!(count("crates/testkit/src/a.rs", text), 0);
        assert_eq!(count("crates/a/src/a.rs", "//! Adds.\n#[cfg(test)]\nmod tests {\n    x.expect(\"y\");\n}\n"), 0);
        let after = "//! Adds.\n#[cfg(test)]\nmod tests;\n\nfn f() {\n    x.expect(\"y\");\n}\n";
        assert_eq!(count("crates/a/src/a.rs", after), 1, "what follows a test module is code");
    }

    #[test]
    fn a_crate_exports_what_is_its_own() {
        assert_eq!(count("crates/a/src/lib.rs", "//! Adds.\npub use portcullis_domain::Add;\n"), 1);
        assert_eq!(count("crates/a/src/lib.rs", "//! Adds.\npub use self::add::Add;\n"), 0);
        assert_eq!(count("crates/a/src/lib.rs", "//! Adds.\nuse portcullis_domain::Add;\n"), 0);
    }

    #[test]
    fn a_crate_takes_the_lints_of_the_workspace() {
        assert_eq!(count("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"), 0);
        assert_eq!(count("crates/a/Cargo.toml", "[package]\n"), 1);
    }
}
