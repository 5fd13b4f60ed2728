//! A process started by the bench, and its descendants: their CPU time, memory and termination.

use super::janitor::Janitor;
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Time a process may take to end before it is killed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running process in its own process group. It ends when dropped, and when the bench ends.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    polite: Signal,
    janitor: Janitor,
}

impl Process {
    /// Starts the process. `polite` is the signal that asks it to end.
    pub(super) fn start(command: &mut Command, polite: Signal, janitor: &Janitor) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().with_context(|| format!("{name}: cannot be started"))?;
        let pid = Pid::from_child(&child);
        janitor.watch(pid);
        Ok(Self { child, pid, polite, janitor: janitor.clone() })
    }

    /// Returns whether the process has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Returns the user and system CPU time of the process and all its descendants so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu(self.pid)
    }

    /// Returns the resident memory of the process and all its descendants, in bytes. Counted page by
    /// page: the sums in `stat`, `statm` and `status` lag behind by some hundred KiB.
    pub(super) fn resident(&self) -> Result<u64> {
        let mut kibibytes = 0;
        for pid in family(self.pid)?.keys() {
            let file = format!("/proc/{pid}/smaps_rollup");
            match fs::read_to_string(&file) {
                // A process that has ended since then has none.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)) => {}
                told => kibibytes += resident(&told.with_context(|| file.clone())?).with_context(|| file)?,
            }
        }
        Ok(kibibytes * 1024)
    }

    fn end(&mut self) {
        let _ = kill_process(self.pid, self.polite);
        let started = Instant::now();
        while !self.has_ended() && started.elapsed() < TIMEOUT {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.wait();
        self.janitor.forget(self.pid);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns the CPU time of a process and its descendants, including ended ones that were waited for.
pub(super) fn cpu(pid: Pid) -> Result<Duration> {
    let ticks: u64 = family(pid)?.values().map(|stat| stat.ticks).sum();
    Ok(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))))
}

/// Fields of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// User and system time in clock ticks, including that of children it waited for.
    ticks: u64,
}

/// Returns a process and its descendants by process id.
fn family(pid: Pid) -> Result<BTreeMap<i32, Stat>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("/proc: processes can be measured on Linux only")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // `None` for a process that has ended since then.
        if let Some(stat) = fs::read_to_string(entry.path().join("stat")).ok().and_then(|line| stat(&line)) {
            all.insert(number, stat);
        }
    }
    let mut found = vec![pid.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(number, _)| *number));
        next += 1;
    }
    Ok(found.iter().filter_map(|number| all.remove_entry(number)).collect())
}

/// Parses "pid (name) state parent …" (proc_pid_stat(5)); the name may contain any characters.
fn stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

/// Parses the KiB in the line "Rss: 1234 kB" (proc_pid_smaps(5)).
fn resident(rollup: &str) -> Option<u64> {
    rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_past_any_name() {
        let line = "17 (a) b (c) S 5 17 17 0 -1 4194560 1 0 0 0 7 3 20 10 20 0 4 0 100 1000 250 18446744073709551615";
        assert_eq!(stat(line), Some(Stat { parent: 5, ticks: 40 }));
        assert_eq!(stat("17 (a"), None);
    }

    #[test]
    fn resident_memory_is_read_of_all_mappings_together() {
        let rollup =
            "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:               18984 kB\nPss:               14870 kB\n";
        assert_eq!(resident(rollup), Some(18984));
        assert_eq!(resident("Pss: 14870 kB\n"), None);
    }

    #[test]
    fn descendants_count() {
        let janitor = Janitor::start(None).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; sleep 60' & sleep 60"]);
        let process = Process::start(&mut command, Signal::TERM, &janitor).unwrap();
        let started = Instant::now();
        while process.cpu().unwrap().is_zero() && started.elapsed() < TIMEOUT {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(process.cpu().unwrap() > Duration::ZERO, "a grandchild's time");
        assert!(family(process.pid).unwrap().len() >= 3);
        let own = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).unwrap();
        assert!(process.resident().unwrap() > resident(&own).unwrap() * 1024, "the memory of all three");
    }
}
