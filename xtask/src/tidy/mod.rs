//! `cargo xtask tidy`: house rules that neither the compiler nor clippy checks. Each file of this
//! folder contains one kind of rule; this one reads the files and reports the faults.

mod features;
mod links;
mod migrations;
mod sources;
mod text;
mod words;

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use xtask::repository::root;

/// Folders that are not checked: build output, installed tools, fixtures and vendored code.
const FOREIGN: [&str; 7] = ["target", ".git", ".venv", "node_modules", "outbox", "fixtures", "third-party"];

/// Suffixes of the files that are read.
const WRITTEN: [&str; 15] = [
    ".rs",
    ".md",
    ".toml",
    ".sql",
    ".json",
    ".yml",
    ".yaml",
    ".sh",
    ".js",
    ".mjs",
    ".css",
    ".html",
    ".gitignore",
    ".env.example",
    ".ci/run",
];

/// A file of the repository.
struct File {
    /// Path from the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    fn is_page(&self) -> bool {
        self.has_extension("md")
    }

    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Returns the lines with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn fault(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

pub(crate) fn run() -> Result<()> {
    let faults = faults(&root())?;
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} faults\n{}", faults.len(), faults.join("\n"));
}

fn faults(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    read(root, "", &mut files)?;
    let mut faults = Vec::new();
    for file in &files {
        faults.extend(text::faults(file));
        faults.extend(sources::faults(file));
        faults.extend(links::faults(root, file));
        faults.extend(words::faults(file));
    }
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    faults.extend(migrations::faults(&paths));
    faults.extend(features::faults(&paths));
    faults.extend(links::unlisted_decisions(&files));
    Ok(faults)
}

/// Reads all files below a folder that have one of the suffixes in `WRITTEN`.
fn read(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if !FOREIGN.contains(&name.as_str()) {
                read(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if WRITTEN.iter().any(|ending| path.ends_with(ending)) {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("{path}: cannot be read as text"))?;
            files.push(File { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        assert_eq!(faults(&root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_files_of_the_repository_are_found() {
        let mut files = Vec::new();
        read(&root(), "", &mut files).unwrap();
        for path in ["Cargo.toml", ".cargo/config.toml", ".gitignore", "xtask/src/main.rs"] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
