//! The machine that the bench ran on. Figures mean little without it.

use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Properties of the machine that affect the figures.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    file_system: String,
    postgresql: String,
    commit: String,
}

impl Machine {
    /// Reads the properties of this machine. The file system is that of the folder.
    pub(super) fn this(folder: &Path, postgres: Option<&Path>) -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        let version = postgres.and_then(|folder| printed(Command::new(folder.join("postgres")).arg("--version")));
        Self {
            cpu: value("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: value("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0) / 1024,
            kernel: format!("Linux {kernel}"),
            file_system: printed(Command::new("stat").args(["-f", "-c", "%T"]).arg(folder)).unwrap_or_default(),
            postgresql: version.unwrap_or_default().replace("postgres (PostgreSQL)", "PostgreSQL"),
            commit: printed(
                Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(xtask::repository::root()),
            )
            .unwrap_or_default(),
        }
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        let text = String::new;
        Self {
            cpu: text(),
            cores: 1,
            memory_mib: 0,
            kernel: text(),
            file_system: text(),
            postgresql: text(),
            commit: text(),
        }
    }

    /// Formats the machine in one line.
    pub(super) fn text(&self) -> String {
        let Self { cpu, cores, memory_mib, kernel, file_system, postgresql, commit } = self;
        format!("{cpu}, {cores} cores, {memory_mib} MiB, {kernel}, {file_system}, {postgresql}, commit {commit}")
    }
}

/// Returns the value after a name and a colon in one of the kernel's files, or `unknown`.
fn value(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    found.unwrap_or("unknown").trim().to_owned()
}

fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core_and_memory() {
        let machine = Machine::this(Path::new("/"), None);
        assert!(machine.cores > 0 && machine.memory_mib > 0);
        assert!(machine.text().contains("Linux "));
    }
}
