//! G8: read requests of 64 clients, with the two log lines of the contract and without. The baseline is
//! a bare handler of the same HTTP library.

use crate::client::flows::Get;
use crate::client::load::Client;
use crate::measure::{Contender, Figures};
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::target::{Storage, Target};
use anyhow::Result;

const CLIENTS: usize = 64;
const BARE: &str = "bare actix-web";

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let mut served = Vec::new();
    for program in run.services() {
        let name = program.name();
        let place = Target::empty(run, program, Storage::Sqlite, "reads")?;
        let access = place.sessions(run, 1)?.pop().map(|session| session.access).unwrap_or_default();
        served.push((name, place, access));
    }
    let bare = run.programs.limit("bare").and_then(|binary| Target::bare(run, binary).start(run));
    for (level, most) in [("INFO", 3.0), ("WARNING", 2.5)] {
        let mut sites = Vec::new();
        for (name, place, access) in &served {
            sites.push((*name, place.with("LOG_LEVEL", level).start(run)?, access));
        }
        for path in ["/health", "/auth/me"] {
            let (window, name) = (run.window(), format!("GET {path} at {level}"));
            let mut contenders: Vec<_> = sites
                .iter()
                .filter(|(_, site, _)| site.has(path).unwrap_or(true))
                .map(|(name, site, access)| {
                    Contender::new(*name, move || Figures::of(&site.drive(&mut gets(path, access), window)?))
                })
                .collect();
            if let Ok(bare) = &bare {
                contenders
                    .insert(1, Contender::new(BARE, move || Figures::of(&bare.drive(&mut gets(path, ""), window)?)));
            }
            let cpu = run.compare("G8", &name, &mut contenders).ratio(BARE, |f| f.cpu);
            run.report.check(("G8", &name), "CPU, of a bare handler's", (cpu, ""), AtMost(most));
        }
    }
    bare.map(drop)
}

fn gets(path: &str, access: &str) -> Vec<Client> {
    let access = if path == "/health" { "" } else { access };
    (0..CLIENTS).map(|_| -> Client { Box::new(Get::new(path, access)) }).collect()
}
