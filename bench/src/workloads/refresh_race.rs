//! G13: 16 callers present one refresh token at once, ten times on each database. Exactly one gets the
//! next pair.

use crate::client::connection::Connection;
use crate::client::flows::{Flow, Refresh, Session};
use crate::measure::number;
use crate::report::Bound::AtLeast;
use crate::run::Run;
use crate::target::{Storage, Target};
use anyhow::{Result, anyhow};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

const CALLERS: usize = 16;
const ROUNDS: usize = 10;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        for program in run.services() {
            let (name, ours) = (program.name(), program.name() == "Portcullis");
            let label = format!("winners_{}", storage.name().to_lowercase());
            let place = Target::empty(run, program, storage, &label)?;
            let sessions = place.sessions(run, ROUNDS)?;
            let site = place.start(run)?;
            let winners: Vec<usize> =
                sessions.iter().map(|session| race(site.server.address, session)).collect::<Result<_>>()?;
            eprintln!("       {}, {name}: winners {winners:?}", storage.name());
            if ours {
                let single = number(winners.iter().filter(|winners| **winners == 1).count());
                let workload = format!("{CALLERS} callers, one token, {}", storage.name());
                run.report.check(("G13", &workload), "races of ten with one winner", (Some(single), ""), AtLeast(10.0));
            }
        }
    }
    Ok(())
}

/// Returns how many of the callers got the next pair.
fn race(address: SocketAddr, session: &Session) -> Result<usize> {
    let start = Barrier::new(CALLERS);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let (connection, mut flow) = (Connection::open(address), Refresh::new(session));
                    start.wait();
                    won(&mut connection?, &mut flow)
                })
            })
            .collect();
        let mut winners = 0;
        for caller in callers {
            winners += usize::from(caller.join().map_err(|_| anyhow!("a caller panicked"))??);
        }
        Ok(winners)
    })
}

fn won(connection: &mut Connection, flow: &mut Refresh) -> Result<bool> {
    let answer = connection.call(flow)?;
    if answer.status == 401 {
        return Ok(false);
    }
    flow.answer(answer.status, connection.body(&answer)).map(|()| true)
}
