//! Resource use of a running service, from `/proc`.

use super::services::Service;
use std::fs;
use std::time::Duration;

impl Service {
    /// Reads one of its files in `/proc`.
    pub(crate) fn told(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process_id())).unwrap()
    }

    fn memory(&self, line: &str) -> usize {
        let status = self.told("status");
        let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// Returns the peak resident memory in KiB.
    pub(crate) fn most_resident(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// Counts open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process_id())).unwrap().count()
    }

    /// Returns the processor time since the start, in steps of 10 ms.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.told("stat");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // Fields 14 and 15 of the line (proc(5)); the first two are before the parenthesis.
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}
