//! N3: CPU time of a second factor, as part of a login and as a refused code. Passwords have the cheapest
//! hash: the noise of others is larger than a code.

use crate::client::accounts::{email, register};
use crate::client::flows::{InTurn, Login, Post};
use crate::client::load::{Client, Window};
use crate::client::second_factor::{Enrolled, Factor, FactorLogin, enrol};
use crate::measure::{Contender, Figures};
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target};
use anyhow::{Context, Result};
use std::thread;
use std::time::Duration;

const PASSWORD: &str = "password alone";
const TOTP: &str = "TOTP code";
const RECOVERY: &str = "recovery code";
/// Accounts without a second factor: few enough to create quickly, and enough that none gets many sessions.
const PLAIN: usize = 400;
const CLIENTS: usize = 16;
/// Milliseconds of CPU.
const MOST: f64 = 0.2;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    // Notices are switched off, since sending an email is not part of a login.
    let place = Target::empty(run, run.ours(), Storage::Sqlite, "second_factor")?.with("MAIL_NOTICES", "none");
    let site = place.with_cost(4).with("LOG_LEVEL", "INFO").start(run)?;
    let address = site.server.address;
    register(address, PLAIN)?;
    wait_until_idle(&site)?;
    let mut plain = in_turn((0..PLAIN).map(|number| -> Client { Box::new(Login::new(&email(number))) }));
    // An app has one code in 30 seconds, so every login of the run has its own account.
    let Window { warm_up, measured } = run.window();
    let window = Window { warm_up: warm_up / 3, measured: measured / 3 };
    let logins = site.drive(&mut plain, window)?.latencies.len();
    let enrolled = enrol(address, logins * 2 * run.options.rounds.max(1))?;
    wait_until_idle(&site)?;
    one_login(run, (&site, window), plain, &enrolled);
    refused(run, &site, enrolled.first().context("no account")?);
    Ok(())
}

/// Waits until the emails of the registrations are sent, for at most a minute.
fn wait_until_idle(site: &RunningTarget) -> Result<()> {
    for _ in 0..300 {
        let before = site.cpu()?;
        thread::sleep(Duration::from_millis(200));
        if site.cpu()?.saturating_sub(before) <= Duration::from_millis(20) {
            break;
        }
    }
    Ok(())
}

/// Logs in with and without a second factor.
fn one_login(run: &mut Run, (site, window): (&RunningTarget, Window), plain: [Client; 1], enrolled: &[Enrolled]) {
    let by = |factor| {
        let logins = enrolled.iter().map(|account| FactorLogin { account: account.clone(), factor });
        in_turn(logins.map(|login| -> Client { Box::new(login) }))
    };
    let kinds = [(PASSWORD, plain), (TOTP, by(Factor::TotpCode)), (RECOVERY, by(Factor::RecoveryCode))];
    let mut contenders =
        kinds.map(|(name, mut clients)| Contender::new(name, move || Figures::of(&site.drive(&mut clients, window)?)));
    let name = "login at bcrypt cost 4, 1 client";
    let compared = run.compare("N3", name, &mut contenders);
    for factor in [TOTP, RECOVERY] {
        let cpu = compared.get(factor, |f| f.cpu).zip(compared.get(PASSWORD, |f| f.cpu));
        let added = cpu.map(|(both, password)| both - password);
        run.report.check(("N3", name), &format!("CPU that a {factor} adds"), (added, "ms"), AtMost(MOST));
    }
}

/// Sends wrong codes, which are checked as right ones are and need no password.
fn refused(run: &mut Run, site: &RunningTarget, account: &Enrolled) {
    let (window, address) = (run.window(), site.server.address);
    let wrong = [(TOTP, "code", "000000"), (RECOVERY, "recovery_code", "0000-0000-0000-0000")];
    let mut contenders = wrong.map(|(name, member, code)| {
        Contender::new(name, move || {
            let token = account.challenge(address)?;
            let body = format!("{{\"mfa_token\":\"{token}\",\"{member}\":\"{code}\"}}");
            let client = |_| -> Client { Box::new(Post::new("/auth/mfa/verify", &body, 401)) };
            let mut clients: Vec<_> = (0..CLIENTS).map(client).collect();
            Figures::of(&site.drive(&mut clients, window)?)
        })
    });
    let name = "POST /auth/mfa/verify, wrong code, 16 clients";
    let compared = run.compare("N3", name, &mut contenders);
    for factor in [TOTP, RECOVERY] {
        let cpu = compared.get(factor, |f| f.cpu);
        run.report.check(("N3", name), &format!("CPU of a request with a {factor}"), (cpu, "ms"), AtMost(MOST));
    }
}

/// Creates one client whose requests alternate between flows.
fn in_turn(flows: impl Iterator<Item = Client>) -> [Client; 1] {
    [Box::new(InTurn(flows.collect()))]
}
