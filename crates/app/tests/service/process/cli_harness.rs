//! Runs operator commands with arguments, with text on standard input or at a terminal.

use crate::harness::services::ExitedService;
use crate::harness::timing::TIMEOUT;
use crate::prelude::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

/// Builds a command on that database, still to be run.
pub(crate) fn command(database: &Database, words: &str) -> ServiceBuilder {
    words.split(' ').fold(ServiceBuilder::over(database), ServiceBuilder::argument)
}

/// Runs a command with this text on standard input.
pub(super) fn fed(setup: ServiceBuilder, input: &str) -> ExitedService {
    fs::write(setup.folder().join("input"), input).unwrap();
    setup.run_before("exec <input").run()
}

/// Runs a command that succeeds and returns its output.
#[track_caller]
pub(crate) fn done(database: &Database, words: &str) -> String {
    let ended = command(database, words).run();
    assert!(ended.status.success() && ended.errors.is_empty(), "{words}: {ended:?}");
    ended.output
}

/// Runs a command that fails with this code and returns its one line.
#[track_caller]
pub(crate) fn refused(database: &Database, words: &str, code: i32) -> String {
    let ended = command(database, words).run();
    assert_eq!(ended.status.code(), Some(code), "{words}: {ended:?}");
    ended.refusal().to_owned()
}

/// Parses the objects of a list.
#[track_caller]
pub(super) fn objects(database: &Database, words: &str) -> Vec<Value> {
    done(database, &format!("{words} --json")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Command at its own terminal.
pub(super) struct Terminal {
    process: KillOnDrop,
    /// The user's end of the terminal.
    side: File,
    /// Output of the terminal.
    seen: Receiver<Vec<u8>>,
    shown: Vec<u8>,
}

impl Terminal {
    pub(super) fn run(setup: &ServiceBuilder) -> Self {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let name = std::ffi::OsString::from_vec(ptsname(&side, Vec::new()).unwrap().into_bytes());
        let other = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let mut command = setup.command();
        command.stdin(other()).stdout(other()).stderr(other());
        let process = KillOnDrop::spawn(&mut command);
        let side = File::from(side);
        Self { process, seen: follow(side.try_clone().unwrap()), side, shown: Vec::new() }
    }

    /// Waits until a completed line contains this text.
    pub(super) fn wait_for(&mut self, text: &str) {
        let told = |shown: &[u8]| {
            let shown = String::from_utf8_lossy(shown).into_owned();
            shown.split_once(text).is_some_and(|(_, rest)| rest.contains('\n'))
        };
        while !told(&self.shown) {
            assert!(self.read(), "{:?} and not {text:?}", String::from_utf8_lossy(&self.shown));
        }
    }

    /// Kills the command and returns everything displayed.
    pub(super) fn kill(mut self) -> String {
        self.process.child().kill().unwrap();
        self.end().1
    }

    /// Waits for this prompt and answers it.
    pub(super) fn answer(&mut self, prompt: &str, text: &str) {
        while !String::from_utf8_lossy(&self.shown).ends_with(prompt) {
            assert!(self.read(), "{:?} instead of {prompt:?}", String::from_utf8_lossy(&self.shown));
        }
        self.side.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    fn read(&mut self) -> bool {
        match self.seen.recv_timeout(TIMEOUT) {
            Ok(more) => {
                self.shown.extend(more);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more: {:?}", String::from_utf8_lossy(&self.shown)),
        }
    }

    /// Waits for the exit; returns the status and everything displayed.
    pub(super) fn end(mut self) -> (ExitStatus, String) {
        while self.read() {}
        (self.process.child().wait().unwrap(), String::from_utf8(self.shown).unwrap())
    }
}

/// Reads to the end. Reading fails once the other end is closed.
fn follow(mut side: File) -> Receiver<Vec<u8>> {
    let (teller, seen) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(read @ 1..) = side.read(&mut buffer) {
            if teller.send(buffer[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    seen
}
