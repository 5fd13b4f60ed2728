//! Every input that is kept, through its target: what a fuzzer once found stays found without one.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a failed step fails the test")]

use portcullis_fuzz::TARGETS;
use std::fs;
use std::path::{Path, PathBuf};

/// The most that a file of the corpus may hold: it is read by people too.
const MAX_BYTES: u64 = 16 * 1024;

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Feeds a target all its inputs. Prints the name of each first, so that a failure names it.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let mut files = inputs(&folder("corpus", name));
    assert!(files.len() >= 10, "{} inputs of {name}: too few to try anything", files.len());
    if folder("regressions", name).exists() {
        files.extend(inputs(&folder("regressions", name)));
    }
    for file in files {
        println!("{}", file.display());
        assert!(fs::metadata(&file).unwrap().len() <= MAX_BYTES, "{}: minimise it", file.display());
        target(&fs::read(&file).unwrap());
    }
}

/// A test for each target; the list is held against the folders and the crate's own.
macro_rules! replayed {
    ($($name:ident),*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed_and_every_input_has_a_target() {
            let replayed = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|(name, _)| name), replayed);
            for kind in ["corpus", "regressions"] {
                for folder in inputs(&Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)) {
                    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
                    assert!(replayed.contains(&name.as_str()), "{}", folder.display());
                }
            }
        }
    };
}

replayed!(bodies, email, passkeys, passwords, requests, settings, tokens);
