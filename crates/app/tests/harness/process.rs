//! What a running service takes of the machine, as the system tells it (`/proc`).

use super::services::Service;
use std::fs;
use std::time::Duration;

impl Service {
    /// A file of `/proc` about it.
    pub(crate) fn told(&self, file: &str) -> String {
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

    /// glibc's arenas beside the first: each is reserved as 64 MiB on a boundary of 64 MiB, of which
    /// the part in use can be written.
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
