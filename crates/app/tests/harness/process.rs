//! What a running service takes of the machine, as the system tells it (`/proc`).

use super::services::Service;
use std::fs;
use std::time::Duration;

impl Service {
    fn told(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process_id())).unwrap()
    }

    fn memory(&self, line: &str) -> usize {
        let status = self.told("status");
        let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most resident memory there ever was, in KiB.
    pub(crate) fn most_resident(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process_id())).unwrap().count()
    }

    /// Processor time since its start, by hundredths of a second.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.told("stat");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // Of the line's fields the 14th and 15th (proc(5)); two stand before the parenthesis.
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}
