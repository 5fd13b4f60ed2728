//! The README's commands: each is run as written and prints what the README shows.

use crate::harness::services::binary;
use crate::prelude::*;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../../README.md");
const XTASK: &str = include_str!("../../../../xtask/src/main.rs");
/// Call to the service in the README. Elsewhere `localhost` is plain text, such as a pattern for a link.
const CALL: &str = "curl -s localhost:8000";
/// Address of the service in the README, used in the links of its emails.
const ADDRESS: &str = "localhost:8000";
/// Separator that the shell prints between two blocks.
const BETWEEN: &str = "=== next block ===";

/// Commands of one block and their expected output, if the README shows it.
#[derive(Debug, Default)]
struct Block {
    section: &'static str,
    commands: Vec<&'static str>,
    output: Option<String>,
}

/// Returns the README's blocks: lines indented by four spaces. A following fence holds their output.
fn blocks() -> Vec<Block> {
    let (mut blocks, mut section, mut fence) = (Vec::<Block>::new(), "", None::<String>);
    let (mut inside, mut fresh) = (false, false);
    for line in README.lines() {
        if let Some(language) = line.strip_prefix("```") {
            match fence.take() {
                None => fence = Some(if fresh && ["json", "text"].contains(&language) { "" } else { "\0" }.to_owned()),
                Some(text) if !text.starts_with('\0') => {
                    blocks.last_mut().unwrap().output = Some(text);
                    fresh = false;
                }
                Some(_) => {}
            }
            inside = false;
        } else if let Some(text) = &mut fence {
            text.push_str(line);
            text.push('\n');
        } else if let Some(command) = line.strip_prefix("    ") {
            if !inside {
                blocks.push(Block { section, ..Block::default() });
            }
            blocks.last_mut().unwrap().commands.push(command);
            (inside, fresh) = (true, true);
        } else {
            inside = false;
            if let Some(title) = line.strip_prefix("## ") {
                (section, fresh) = (title, false);
            }
        }
    }
    blocks
}

/// Replaces what differs between runs: times, tokens and request ids.
fn normal(text: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(text) else {
        let (start, token) = text.trim().split_once("token=").unwrap_or((text.trim(), ""));
        return if token.is_empty() { start.to_owned() } else { format!("{start}token=") };
    };
    for (name, value) in json.as_object_mut().into_iter().flatten() {
        if name.ends_with("_token") || name.ends_with("_at") || name == "request_id" {
            assert!(value.as_str().is_some_and(|text| text.len() > 10), "{name}: {value}");
            *value = format!("some {name}").into();
        }
    }
    json.to_string()
}

/// Runs blocks one after another in one shell, in the service's folder. Returns the output of each.
fn run(blocks: &[&Block], service: &Service) -> Vec<String> {
    let mut script = String::new();
    for block in blocks {
        script += &format!("{}\necho; echo '{BETWEEN}'\n", block.commands.join("\n"));
    }
    let address = service.address.to_string();
    script = script.replace(CALL, &format!("curl -s {address}")).replace(ADDRESS, &address);
    let output = Command::new("bash").arg("-c").arg(&script).current_dir(&service.folder).output().expect("bash");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap().replace(&address, ADDRESS);
    printed.split(BETWEEN).map(|printed| printed.trim().to_owned()).collect()
}

#[test]
fn the_tour_prints_what_the_readme_says() {
    let service = Backend::Sqlite.service().start();
    let blocks = blocks();
    let tour: Vec<_> = blocks.iter().filter(|block| block.section == "A tour").collect();
    assert!(tour.len() >= 8, "{blocks:?}");
    let printed = run(&tour, &service);
    for (block, printed) in tour.iter().zip(printed) {
        assert!(!printed.is_empty(), "{:?} prints nothing", block.commands);
        let output = block.output.as_deref().unwrap_or_else(|| panic!("{:?} has no output", block.commands));
        assert_eq!(normal(&printed), normal(output), "{:?}", block.commands);
    }
}

#[test]
fn the_start_on_the_database_of_a_fastapi_application_works() {
    let blocks = blocks();
    let block = blocks.iter().find(|block| block.section == "Coming from FastAPI").expect("how to start");
    let (database, facts) = Backend::Sqlite.adopted();
    let [command] = block.commands[..] else { panic!("{block:?}") };
    let (settings, program) = command.rsplit_once(' ').unwrap();
    assert_eq!(program, "portcullis");
    let setup = ServiceBuilder::over(&database).unset("DATABASE_URL").unset("SECRET_KEY");
    let service = settings.split(' ').fold(setup, |setup, setting| {
        let (name, value) = setting.split_once('=').unwrap();
        match (name, value) {
            ("DATABASE_URL", "sqlite:////srv/app/app.db") => setup.set(name, &database.url()),
            ("SECRET_KEY", "…") => setup.set(name, facts["secret_key"].as_str().unwrap()),
            _ => panic!("{setting}"),
        }
    });
    let service = service.start();
    assert_eq!(service.get("/health").status, 200);
}

/// Returns whether the repository's xtask has this command.
fn is_xtask(words: &str) -> bool {
    let mut name = words.strip_prefix("cargo xtask ").unwrap().split(' ').next().unwrap().to_owned();
    name[..1].make_ascii_uppercase();
    [format!("    {name}("), format!("    {name},")].iter().any(|variant| XTASK.contains(variant))
}

#[test]
fn every_other_command_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for block in blocks().iter().filter(|block| !["A tour", "Coming from FastAPI"].contains(&block.section)) {
        for command in &block.commands {
            let words: Vec<_> = command.split('#').next().unwrap().split_whitespace().collect();
            match words[..] {
                ["cargo", "xtask", ..] => assert!(is_xtask(&words.join(" ")), "{command}"),
                ["cargo", "run", "-p", package, "--example", example] => {
                    let package = package.strip_prefix("portcullis-").unwrap();
                    let file = root.join(format!("crates/{package}/examples/{example}.rs"));
                    assert!(file.is_file(), "{command}: there is no {}", file.display());
                }
                _ => panic!("a command that no test runs: {command}"),
            }
        }
    }
    for quoted in README.split('`').skip(1).step_by(2) {
        if quoted.starts_with("cargo xtask ") {
            assert!(is_xtask(quoted), "{quoted}");
        } else if let Some(words) = quoted.strip_prefix("portcullis ") {
            let help = Command::new(binary()).args(words.split(' ')).arg("--help").output();
            assert!(help.unwrap().status.success(), "{quoted}");
        }
    }
}
