//! Rules for Rust sources: how a file opens, what it is called, and words that must not stand in
//! it. What clippy sees is left to clippy, but for what comments, examples and code behind a
//! `cfg` hide from it.

use super::File;

/// Words that no source may hold. They are put together here, so that this file does not.
const BANNED: [(&str, &str); 6] = [
    (concat!("todo", "!("), "unfinished"),
    (concat!("unimplemented", "!("), "unfinished"),
    (concat!("FIX", "ME"), "unfinished"),
    (concat!("XX", "X"), "unfinished"),
    (concat!("#[ign", "ore"), "a test that does not run"),
    (concat!("[al", "low("), "write #[expect(…, reason = \"…\")]"),
];

/// Words that no source of the service may hold outside its tests.
const BANNED_IN_SERVICE: [(&str, &str); 4] = [
    (".unwrap()", "a panic: return an error"),
    (".expect(", "a panic: return an error"),
    ("eprintln!(", "print nothing: log, or write to the stream that was passed"),
    ("println!(", "print nothing: log, or write to the stream that was passed"),
];

const VAGUE_FILE_NAMES: [&str; 3] = ["utils", "common", "helpers"];

pub(super) fn faults(file: &File) -> Vec<String> {
    if file.path.ends_with("/Cargo.toml") && !file.text.contains("[lints]\nworkspace = true\n") {
        return vec![file.fault(1, "does not take the lints of the workspace")];
    }
    if !file.is_rust() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    if !file.text.starts_with("//!") {
        faults.push(file.fault(1, "does not open with //!, what it is for and what it leaves to others"));
    }
    let mut names = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    if let Some(name) = names.find(|name| VAGUE_FILE_NAMES.contains(name)) {
        faults.push(file.fault(1, &format!("`{name}` says nothing: name it by what it does")));
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

/// Whether a word stands in a line, and not as a part of a longer one.
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
    another.then(|| file.fault(number, "a re-export of another crate: name that crate where it is used"))
}

/// Whether it is compiled into the service; the testkit and files of tests are not.
fn is_service(file: &File) -> bool {
    let source = file.path.starts_with("crates/") && file.path.contains("/src/");
    let test = file.path.ends_with("tests.rs") || file.path.contains("/tests/");
    source && !test && !file.path.starts_with("crates/testkit/")
}

/// The lines that are not under `#[cfg(test)]`. Leans on rustfmt: an item ends with a line that
/// is indented as its first, or is one line that ends with a semicolon.
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
