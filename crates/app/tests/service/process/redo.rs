//! `portcullis migrate --redo`, which deletes data.

use super::cli_harness::{Terminal, command, done, refused};
use crate::prelude::*;

on_both_databases!(redo_asks_first_and_never_under_a_running_service);

fn redo_asks_first_and_never_under_a_running_service(backend: Backend) {
    let service = backend.service().start();
    let database = &service.database;
    service.account();
    for words in ["migrate --redo", "migrate --redo --yes"] {
        let line = refused(database, words, 1);
        assert!(line.ends_with(" uses the database: stop the service first"), "{line}");
    }
    service.stop();
    let last = done(database, "migrate --status").lines().last().unwrap().split_whitespace().last().unwrap().to_owned();
    let line = refused(database, "migrate --redo", 2);
    assert_eq!(line, "portcullis: no terminal to confirm the deletion: use --yes");
    let run = || Terminal::run(&command(database, "migrate --redo"));
    for (answer, changes) in [("", false), ("no", false), (last.as_str(), false), ("yes", true)] {
        let mut terminal = run();
        terminal.answer("Type yes to continue: ", answer);
        let (status, output) = terminal.end();
        assert!(output.contains(&format!("This reverts migration {last} and applies it again.")), "{output}");
        assert!(
            output.contains("permanently deletes column ") || output.contains("permanently deletes table "),
            "{output}"
        );
        assert_eq!((status.success(), output.contains(&format!("applied  {last}"))), (changes, changes), "{output}");
        assert_eq!(output.contains("nothing was changed"), !changes, "{output}");
    }
    assert_eq!(done(database, "migrate --redo --yes"), format!("applied  {last}"));
    assert_eq!(command(database, "migrate --yes").run().status.code(), Some(2));
}
