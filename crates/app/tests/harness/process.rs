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

    /// Counts glibc's arenas except the first. Each reserves 64 MiB at a 64 MiB boundary, and its used part
    /// is writable.
    pub(crate) fn arenas(&self) -> usize {
        const RESERVED: u64 = 64 << 20;
        let (mut arenas, mut start) = (0, None);
        for line in self.told("maps").lines() {
            let mut fields = line.split_whitespace();
            let (from, to) = fields.next().and_then(|range| range.split_once('-')).unwrap();
            let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
            match fields.next().unwrap() {
                "rw-p" => start = (from % RESERVED == 0).then_some(from),
                "---p" if start.is_some_and(|start| start + RESERVED == to) => arenas += 1,
                _ => {}
            }
        }
        arenas
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
