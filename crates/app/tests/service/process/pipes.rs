//! Commands whose reader stops early, as `head` does.

use super::cli_harness::{command, done};
use crate::prelude::*;
use std::process::Stdio;

#[test]
fn a_command_without_a_reader_ends_quietly_as_by_sigpipe() {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    done(&database, "user create ada@example.org --generate");
    for words in [
        "config check",
        "config print",
        "config print --json",
        "doctor",
        "doctor --json",
        "keys generate",
        "mail list",
        "migrate --status",
        "migrate --status --json",
        "openapi",
        "purge",
        "session list 1",
        "user disable 1",
        "user list",
        "user list --json",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = command(&database, words).command().stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), &*errors), (Some(141), ""), "{words}");
    }
}
