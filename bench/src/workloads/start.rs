//! G9: time from the fork to the first 200 of `/health`, on an existing database.

use crate::measure::{Contender, Figures};
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::server::{Program, Server};
use crate::target::{Storage, Target};
use anyhow::Result;

/// Starts per measurement. A start takes milliseconds, so the median of several counts.
const STARTS: usize = 5;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        let mut places = Vec::new();
        for program in run.services() {
            let place = Target::empty(run, program, storage, &format!("start_{}", storage.name().to_lowercase()))?;
            // The first start creates the tables.
            drop(place.start(run)?);
            places.push(place);
        }
        if let Ok(bare) = run.programs.limit("bare") {
            places.insert(1, Target::bare(run, bare));
        }
        compare(run, &format!("start, {}", storage.name()), &places, 50.0);
    }
    Ok(())
}

/// Measures the starts alternately. The median of Portcullis may be at most `most` ms.
pub(super) fn compare(run: &mut Run, name: &str, places: &[Target], most: f64) {
    let janitor = run.janitor.clone();
    let mut contenders: Vec<_> = places
        .iter()
        .map(|place| {
            let janitor = &janitor;
            Contender::new(place.program.name(), move || {
                let mut times = Vec::new();
                for _ in 0..if matches!(place.program, Program::Peer(_)) { 1 } else { STARTS } {
                    times.push(Server::time_start(&place.program, &place.folder, &place.settings, janitor)?.1);
                }
                Ok(Figures { shed: None, ..Figures::of_times(&times, 0) })
            })
        })
        .collect();
    let compared = run.compare("G9", name, &mut contenders);
    let median = compared.get("Portcullis", |f| f.p50);
    run.report.check(("G9", name), "median to the first 200", (median, "ms"), AtMost(most));
}
