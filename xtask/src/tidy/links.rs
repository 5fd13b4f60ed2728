//! Checks pages: targets of links within the repository and paths in backticks must exist, and every
//! decision must be listed.

use super::File;
use std::path::Path;

const DECISIONS: &str = "docs/adr/";

/// Extensions of the files whose paths are checked.
const FILES: [&str; 8] = [".rs", ".md", ".toml", ".sql", ".json", ".js", ".css", ".html"];

pub(super) fn faults(root: &Path, file: &File) -> Vec<String> {
    if !file.is_page() {
        return Vec::new();
    }
    let page = root.join(&file.path);
    let folder = page.parent().unwrap_or(root);
    let mut code = false;
    let mut faults = Vec::new();
    for (number, line) in file.lines() {
        code ^= line.trim_start().starts_with("```");
        if code {
            continue;
        }
        let targets = targets(line).filter(|target| !is_elsewhere(target));
        let broken = targets.filter(|target| !folder.join(target.split('#').next().unwrap_or(target)).exists());
        faults.extend(broken.map(|target| file.fault(number, &format!("broken link: {target}"))));
        let gone =
            paths(line).filter(|path| ![root, &root.join("crates"), folder].iter().any(|at| at.join(path).exists()));
        faults.extend(gone.map(|path| file.fault(number, &format!("no such file: `{path}`"))));
    }
    faults
}

/// Returns the file paths in backticks: those with a folder and a known extension. A path that begins
/// with a slash is a route of the service.
fn paths(line: &str) -> impl Iterator<Item = String> {
    let quoted = line.split('`').skip(1).step_by(2);
    let plain =
        |text: &&str| text.contains('/') && !text.starts_with(['/', '<']) && !text.contains([' ', '*', '…', ':']);
    let written = |text: &&str| FILES.iter().any(|ending| text.ends_with(ending));
    quoted.filter(plain).filter(written).flat_map(alternatives)
}

/// Expands braces: `a/{b,c}.rs` becomes two paths.
fn alternatives(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?)));
    match parts {
        Some((start, (names, end))) => names.split(',').map(|name| format!("{start}{name}{end}")).collect(),
        None => vec![path.to_owned()],
    }
}

/// Lists the decisions that `docs/adr/README.md` does not link to.
pub(super) fn unlisted_decisions(files: &[File]) -> Vec<String> {
    let list_path = format!("{DECISIONS}README.md");
    let list = files.iter().find(|file| file.path == list_path).map_or("", |file| file.text.as_str());
    let decisions =
        files.iter().filter_map(|file| file.path.strip_prefix(DECISIONS)).filter(|name| *name != "README.md");
    let unlisted = decisions.filter(|name| !list.contains(&format!("({name})")));
    unlisted.map(|name| format!("{DECISIONS}{name}: not linked from {list_path}")).collect()
}

/// Returns the targets of the inline links in a line, except in backticks.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let prose = line.split('`').step_by(2);
    let after = prose.flat_map(|prose| prose.split("](").skip(1));
    after.filter_map(|rest| rest.split([')', ' ']).next()).filter(|target| !target.is_empty())
}

fn is_elsewhere(target: &str) -> bool {
    target.starts_with('#') || target.starts_with("mailto:") || target.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask::repository::root;

    fn count(text: &str) -> usize {
        faults(&root(), &File { path: "xtask/page.md".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn links_inside_the_repository_lead_somewhere() {
        assert_eq!(count("[a](src/main.rs) [b](../Cargo.toml#deps) [c](#here) [d](https://example.com/x)\n"), 0);
        assert_eq!(count("[a](src/gone.rs) and [b](../gone.md \"title\")\n"), 2);
        assert_eq!(count("`[a](gone)`\n```\n[a](gone)\n```\n[a](gone)\n"), 1);
    }

    #[test]
    fn a_path_in_backticks_is_that_of_a_file() {
        assert_eq!(count("`xtask/src/main.rs`, `src/main.rs`, `app/src/main.rs` and `../Cargo.toml`\n"), 0);
        assert_eq!(count("`http/src/gone.rs` and `src/tidy/{links,gone,also_gone}.rs`\n"), 3);
        assert_eq!(
            count("`main.rs`, `/openapi.json`, `a/*.rs`, `<stamp>/up.sql`, `a.md b/c.md` and gone/src/main.rs\n"),
            0
        );
        assert_eq!(count("```\n`src/gone.rs`\n```\n"), 0);
    }

    #[test]
    fn every_decision_is_listed() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let decision = || file("docs/adr/0001-layers.md", "# Layers\n");
        assert_eq!(unlisted_decisions(&[decision()]).len(), 1);
        let list = file("docs/adr/README.md", "- [Layers](0001-layers.md)\n");
        assert_eq!(unlisted_decisions(&[decision(), list]), Vec::<String>::new());
    }
}
