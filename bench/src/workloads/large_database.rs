//! G9 and G11 on a large database: start time, and the CPU time of refresh, login and /auth/me relative
//! to a small database.

use super::hashing::logins;
use super::start;
use crate::client::accounts::{email, log_in};
use crate::client::connection::Connection;
use crate::client::flows::{Get, Session};
use crate::client::load::Client;
use crate::large::Large;
use crate::measure::{Contender, Figures};
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target, chains};
use anyhow::Result;

const CLIENTS: usize = 16;
const LARGE: &str = "large database";
const SMALL: &str = "small database";

/// G9: start time.
pub(super) fn start(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        let large = Large::copy(run, storage)?;
        start::compare(run, &format!("start, large {} database", storage.name()), &[large.place], 100.0);
    }
    Ok(())
}

/// G11: CPU time per request.
pub(super) fn cpu(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        let label = format!("growth_{}", storage.name().to_lowercase());
        let small = Target::empty(run, run.ours(), storage, &label)?;
        let large = Large::copy(run, storage)?;
        let mut both = Vec::new();
        for (name, place) in [(LARGE, &large.place), (SMALL, &small)] {
            let site = place.start_with_accounts(run, CLIENTS)?;
            let sessions = log_all_in(&site)?;
            both.push((name, site, sessions));
        }
        for (kind, clients, most) in KINDS {
            let name = format!("{kind}, {}, {CLIENTS} clients", storage.name());
            let window = if kind == "login" { run.long_window() } else { run.window() };
            let mut contenders = Vec::new();
            for (name, site, sessions) in &both {
                let mut clients = clients(sessions);
                contenders.push(Contender::new(*name, move || Figures::of(&site.drive(&mut clients, window)?)));
            }
            let compared = run.compare("G11", &name, &mut contenders);
            let ratio = compared.get(LARGE, |f| f.cpu).zip(compared.get(SMALL, |f| f.cpu));
            let ratio = ratio.map(|(large, small)| large / small);
            run.report.check(("G11", &name), "CPU, of the small database's", (ratio, ""), AtMost(most));
        }
    }
    Ok(())
}

/// Kind of request, its clients, and its maximum CPU time relative to the small database.
type Kind = (&'static str, fn(&[Session]) -> Vec<Client>, f64);

/// Logins come last: they exceed the maximum number of sessions per account, which ends those that the
/// other kinds use.
const KINDS: [Kind; 3] = [("refresh", chains, 1.4), ("GET /auth/me", reads, 1.1), ("login", |_| logins(CLIENTS), 1.1)];

fn reads(sessions: &[Session]) -> Vec<Client> {
    sessions.iter().map(|session| -> Client { Box::new(Get::new("/auth/me", &session.access)) }).collect()
}

fn log_all_in(site: &RunningTarget) -> Result<Vec<Session>> {
    let mut connection = Connection::open(site.server.address)?;
    (0..CLIENTS).map(|number| log_in(&mut connection, &email(number))).collect()
}
