//! Checks that every secret-like text in the repository is rejected as a key: an attacker who reads it
//! could sign tokens.

use super::secret;
use std::fs;
use std::path::Path;

/// Folders and files without text that a user would copy as a key: build output, vendored code, a
/// developer's own settings, checksums and fuzzer inputs.
const SKIPPED: [&str; 9] =
    ["target", ".git", ".venv", "node_modules", "outbox", "third-party", "corpus", ".env", "Cargo.lock"];
/// Rows, hashes and PEM files of tests. There, only values with `secret` in their name are checked.
const DATA: [&str; 2] = ["fixtures", "passlib"];

#[test]
fn every_secret_like_text_of_the_repository_is_refused() {
    // The fuzz crate includes this module too, from another folder.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = folders.find(|folder| folder.join("Cargo.lock").is_file()).unwrap();
    let (mut found, mut accepted) = (0, Vec::new());
    visit(root, false, &mut |path, text, is_data| {
        let mut texts = named_secrets(text);
        if !is_data {
            texts.extend(random_looking(text));
        }
        found += texts.len();
        let taken = texts.into_iter().filter(|text| secret::read(text).is_ok());
        accepted.extend(taken.map(|text| format!("{}: {text}", path.display())));
    });
    assert!(found > 20, "the repository was not read");
    assert!(
        accepted.is_empty(),
        "a published text is accepted as a key; make it random, or add it to published.txt:\n{}",
        accepted.join("\n")
    );
}

fn visit(folder: &Path, is_data: bool, see: &mut impl FnMut(&Path, &str, bool)) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            visit(&path, is_data || DATA.contains(&name.as_str()), see);
        } else if let Ok(text) = fs::read_to_string(&path) {
            see(&path, &text, is_data);
        }
    }
}

/// Finds values with `secret` in their name: `SECRET_KEY=…`, `const SECRET: &str = "…"`,
/// `"secret_key": "…"`, `set("SECRET_KEY", "…")`.
fn named_secrets(text: &str) -> Vec<String> {
    let lines = text.lines().flat_map(|line| {
        let lower = line.to_ascii_lowercase();
        let starts: Vec<_> = lower.match_indices("secret").map(|(at, _)| at).collect();
        starts.into_iter().filter_map(|at| value_after(line.get(at..)?))
    });
    // A format string is not a secret.
    lines.filter(|value| value.len() >= secret::MIN_BYTES && !value.contains('{')).collect()
}

fn value_after(rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if let Some(value) = rest.strip_prefix('=').filter(|value| !value.starts_with([' ', '"', '\''])) {
        return value.split_whitespace().next().map(str::to_owned);
    }
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    let (between, rest) = rest.split_once(['"', '\''])?;
    let is_assignment = between.contains(['=', ':', ',']) && !between.contains(['.', '(', ')', ';', '|', '{', '`']);
    // A setting without a default, followed by what it accepts.
    let is_description = between == ", None, ";
    (is_assignment && !is_description).then(|| rest.split(['"', '\'']).next().unwrap_or_default().to_owned())
}

/// Finds hexadecimal numbers and words that look like Base64 by their mix of characters. Ignores parts of
/// JWTs and of password hashes.
fn random_looking(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let hex = text.split(|c: char| !c.is_ascii_alphanumeric());
    let hex = hex.filter(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let base64 = text.split(|c| !is_word(c)).filter(|word| {
        let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
        let mixed = count(u8::is_ascii_lowercase).min(count(u8::is_ascii_uppercase)) >= 4;
        mixed && count(u8::is_ascii_digit) >= 2 && !word.starts_with("eyJ") && !follows(text, word, ['.', '$'])
    });
    hex.chain(base64).filter(|word| word.len() >= secret::MIN_BYTES).map(str::to_owned).collect()
}

fn follows(text: &str, word: &str, marks: [char; 2]) -> bool {
    text.split(word).next().is_some_and(|before| before.ends_with(marks))
}

#[test]
fn secret_like_texts_are_found() {
    let [hex, long] = ["8f2b6c1d9e3a4705b8c6d2e1f0a93847", "marker secret, long enough to be a key"];
    for line in [
        format!("SECRET_KEY={long}").replace(' ', "_"),
        format!("# SECRET_KEY_PREVIOUS=\"{long}\""),
        format!("const OLD_SECRET: &[u8] = b\"{long}\";"),
        format!("let secrets = [b\"{long}\"];"),
        format!("  \"secret_key\": \"{long}\","),
        format!("setup.set(\"SECRET_KEY\", \"{long}\")"),
    ] {
        assert_eq!(named_secrets(&line).first().map(|text| text.replace('_', " ")).as_deref(), Some(long), "{line}");
    }
    assert_eq!(random_looking(&format!("an id such as {hex}.")), [hex]);
    assert_eq!(
        random_looking("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        ["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"]
    );
}
