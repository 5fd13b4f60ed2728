//! N4: sign-in with a passkey, compared with a login by password. One sign-in is two requests: options, and the
//! signature.

use crate::client::load::Client;
use crate::client::passkey::{ORIGIN, PasskeyLogin, create};
use crate::measure::{Contender, Figures};
use crate::report::Bound::{AtLeast, AtMost};
use crate::run::Run;
use crate::target::{Storage, Target};
use crate::workloads::hashing::logins;
use anyhow::Result;

const PASSWORD: &str = "password";
const PASSKEY: &str = "passkey";
/// Accounts with a password alone.
const ACCOUNTS: usize = 16;
const WORKLOADS: [(usize, &str); 2] = [(1, "sign-in, 1 client"), (64, "sign-in, 64 clients")];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    // Notices are switched off, since sending an email is not part of a login.
    let place = |run: &mut Run, label| -> Result<Target> {
        let place = Target::empty(run, run.ours(), Storage::Sqlite, label)?;
        Ok(place.with("MAIL_NOTICES", "none").with("PUBLIC_URL", ORIGIN))
    };
    let passwords = place(run, "passwords")?.start_with_accounts(run, ACCOUNTS)?;
    // The cost of passwords matters only while the accounts are created.
    let passkeys = place(run, "passkeys")?.with_cost(4).start(run)?;
    let created = create(passkeys.server.address, WORKLOADS.iter().map(|(count, _)| count).sum())?;
    let sign_in = |passkey| -> Client { Box::new(PasskeyLogin { passkey, options: None }) };
    let mut clients: Vec<_> = created.into_iter().map(sign_in).collect();
    let (window, long) = (run.window(), run.long_window());
    for (count, name) in WORKLOADS {
        let mut signing: Vec<_> = clients.drain(..count).collect();
        let mut contenders = [
            Contender::new(PASSWORD, || Figures::of(&passwords.drive(&mut logins(count), long)?)),
            Contender::new(PASSKEY, || Ok(Figures::of(&passkeys.drive(&mut signing, window)?)?.of_several(2.0))),
        ];
        let compared = run.compare("N4", name, &mut contenders);
        let ratio = |figure: fn(&Figures) -> Option<f64>| {
            Some(compared.get(PASSKEY, figure)? / compared.get(PASSWORD, figure)?)
        };
        let (cpu, rate) = (ratio(|f| f.cpu), ratio(|f| f.rate));
        run.report.check(("N4", name), "CPU, of a password login's", (cpu, ""), AtMost(0.01));
        if count > 1 {
            run.report.check(("N4", name), "rate, of password logins'", (rate, ""), AtLeast(100.0));
        }
    }
    Ok(())
}
