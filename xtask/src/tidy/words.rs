//! Rules for prose: words of an old dialect that readers had to decode, in comments and pages.
//! `docs/development/style.md` says what to write instead.

use super::File;

/// Matched as whole words, in any case. Not matched in code between backticks.
const MARKERS: [&str; 13] = [
    "whoever",
    "whomever",
    "nobody",
    "somebody",
    "anybody",
    "worthless",
    "the verb.",
    "the verb for",
    "is told",
    "are told",
    "of which",
    "is left to",
    "that is none",
];

/// Pages that quote the words.
const QUOTING: [&str; 1] = ["docs/development/style.md"];

pub(super) fn faults(file: &File) -> Vec<String> {
    let page = file.is_page();
    if !page && !file.is_rust() || QUOTING.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut code = false;
    let mut faults = Vec::new();
    for (number, line) in file.lines() {
        code ^= line.trim_start().starts_with("```");
        let prose = if page { (!code).then_some(line) } else { comment(line) };
        let found = prose.into_iter().flat_map(markers);
        faults.extend(found.map(|word| file.fault(number, &format!("`{word}`: see docs/development/style.md"))));
    }
    faults
}

/// Returns the text of a comment on a line of its own.
fn comment(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']))
}

fn markers(prose: &str) -> impl Iterator<Item = &'static str> {
    let plain: Vec<&str> = prose.split('`').step_by(2).collect();
    let plain = plain.join(" ").to_lowercase();
    MARKERS.into_iter().filter(move |word| contains(&plain, word))
}

fn contains(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !(is_part(before) || word.ends_with(char::is_alphanumeric) && is_part(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_in(path: &str, text: &str) -> usize {
        faults(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn marker_words_are_refused_in_comments_and_pages() {
        assert_eq!(faults_in("a.rs", "/// Whoever calls.\nlet whoever = 1; // code\n//! Somebody is told."), 3);
        assert_eq!(faults_in("a.md", "Nobody.\n```\nnobody\n```\n`nobody`, nobodys"), 1);
        assert_eq!(faults_in("a.rs", "    // The verb.\n// The verb. There."), 2);
        assert_eq!(faults_in("docs/development/style.md", "whoever"), 0);
    }
}
