//! `cargo xtask openapi`: writes the service's API document to `docs/openapi.json`, or checks that the
//! file is up to date.

use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;
use xtask::repository::{output, portcullis, root};

const FILE: &str = "docs/openapi.json";

#[derive(clap::Args)]
pub(crate) struct Openapi {
    /// Write nothing; fail if the file is out of date
    #[arg(long)]
    check: bool,
}

impl Openapi {
    pub(crate) fn run(self) -> Result<()> {
        if self.check {
            return check();
        }
        let document = document()?;
        fs::write(root().join(FILE), document).with_context(|| format!("{FILE}: cannot be written"))?;
        println!("wrote {FILE}");
        Ok(())
    }
}

/// Fails if the committed document differs from the service's.
pub(crate) fn check() -> Result<()> {
    let committed = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    let document = document()?;
    match first_difference(&committed, &document) {
        None => Ok(()),
        Some(difference) => bail!("{FILE}:{difference}\nif this is intended, update the file: cargo xtask openapi"),
    }
}

/// Returns the service's document, pretty-printed.
fn document() -> Result<String> {
    let binary = portcullis(false)?;
    let document = output("portcullis openapi", Command::new(binary).arg("openapi").current_dir(root()))?;
    let document: serde_json::Value = serde_json::from_str(&document).context("portcullis openapi: not JSON")?;
    Ok(format!("{document:#}\n"))
}

fn first_difference(committed: &str, document: &str) -> Option<String> {
    if committed == document {
        return None;
    }
    let lines = committed.lines().zip(document.lines());
    let same = lines.take_while(|(ours, theirs)| ours == theirs).count();
    let line = |text: &'static str, document: &str| match document.lines().nth(same) {
        Some(line) => format!("{text} `{}`", line.trim_start()),
        None => format!("{text} nothing"),
    };
    Some(format!("{}: {}, {}", same + 1, line("the file has", committed), line("the service has", document)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("{\n  1\n}\n", "{\n  1\n}\n"), None);
        let difference = first_difference("{\n  1\n}\n", "{\n  2\n}\n");
        assert_eq!(difference.as_deref(), Some("2: the file has `1`, the service has `2`"));
        assert_eq!(first_difference("", "{\n").as_deref(), Some("1: the file has nothing, the service has `{`"));
        assert!(first_difference("{}\n", "{}").is_some(), "the newline at the end counts");
    }
}
