//! Ends the child processes of the bench, even if the bench is killed: a shell waits until its standard
//! input closes, which happens when the bench exits.

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rustix::process::Pid;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

/// PostgreSQL ends its children on SIGQUIT, other programs end themselves. After 1 s the process groups
/// are killed.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pids=" "
while read -r line; do
  pid=${line#?}
  case $line in
    +*) pids="$pids$pid " ;;
    -*) pids="${pids%%" $pid "*} ${pids#*" $pid "}" ;;
  esac
done
for pid in $pids; do kill -QUIT "$pid"; done 2>/dev/null
[ "$pids" = " " ] || sleep 1
for pid in $pids; do kill -s KILL -- "-$pid"; done 2>/dev/null
[ -z "$1" ] || rm -rf "$1"
"#;

/// Handle of the janitor, one per run.
#[derive(Clone)]
pub(super) struct Janitor {
    shared: Arc<Mutex<Shell>>,
}

struct Shell {
    input: ChildStdin,
    /// Never waited for: it cleans up after this process has exited.
    _child: Child,
}

impl Janitor {
    /// Starts the janitor. It deletes the folder, if any, at the end.
    pub(super) fn start(folder: Option<&Path>) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "janitor"]).arg(folder.unwrap_or_else(|| Path::new(""))).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.process_group(0).spawn().context("sh: cannot be started")?;
        let input = child.stdin.take().context("sh: no standard input")?;
        Ok(Self { shared: Arc::new(Mutex::new(Shell { input, _child: child })) })
    }

    /// Adds a process to end with the bench.
    pub(super) fn watch(&self, pid: Pid) {
        self.write('+', pid);
    }

    /// Removes a process that has ended, since its id may be reused.
    pub(super) fn forget(&self, pid: Pid) {
        self.write('-', pid);
    }

    fn write(&self, sign: char, pid: Pid) {
        let mut shell = self.shared.lock();
        // Without the janitor, a run still ends its processes itself unless it is killed.
        let _ = writeln!(shell.input, "{sign}{}", pid.as_raw_nonzero());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::{Duration, Instant};

    /// A process that ignores SIGQUIT, like every background process of a shell.
    fn sleeper() -> Child {
        Command::new("sh").args(["-c", "trap '' QUIT; exec sleep 60"]).process_group(0).spawn().unwrap()
    }

    #[test]
    fn watched_child_ends_with_the_bench_and_forgotten_one_lives() {
        let (mut watched, mut forgotten) = (sleeper(), sleeper());
        let janitor = Janitor::start(None).unwrap();
        for child in [&forgotten, &watched] {
            janitor.watch(Pid::from_child(child));
        }
        janitor.forget(Pid::from_child(&forgotten));
        drop(janitor);
        let started = Instant::now();
        while watched.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(10), "it still runs");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(forgotten.try_wait().unwrap(), None);
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
    }
}
