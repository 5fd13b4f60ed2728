//! Looks from time to time at what stored password hashes cost, so that a login for an address
//! without an account takes as long as others do.

use crate::wire::AppContext;
use portcullis_bcrypt::StoredCosts;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// A sample: up to 16 hashes from each of 64 ranges of ids.
const RANGES: u32 = 64;
const EACH: u32 = 16;
/// Logins and operators change hashes meanwhile.
const INTERVAL: Duration = Duration::from_secs(60);
/// Where nothing is known yet, as before a PostgreSQL server can be reached.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

/// Takes samples until dropped.
pub(crate) struct CostSampling {
    _stop: Sender<()>,
}

impl CostSampling {
    /// Starts a thread for it. `is_ready` says whether the database has been reached: then the
    /// first sample is taken before this returns.
    pub(crate) fn start(parts: &AppContext, costs: &Arc<StoredCosts>, is_ready: bool) -> io::Result<Self> {
        let (store, costs) = (parts.database.store.clone(), Arc::clone(costs));
        let mut is_known = is_ready && log(sample(&*store, &costs));
        let (stop, stopped) = channel::<()>();
        std::thread::Builder::new().name("hash-costs".to_owned()).spawn(move || {
            let wait = |is_known| if is_known { INTERVAL } else { FIRST_INTERVAL };
            while matches!(stopped.recv_timeout(wait(is_known)), Err(RecvTimeoutError::Timeout)) {
                // Before the first, the wait for the database is logged elsewhere.
                let outcome = sample(&*store, &costs);
                is_known = if is_known { log(outcome) || is_known } else { outcome.is_ok() };
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

fn sample(store: &dyn Store, costs: &Arc<StoredCosts>) -> Result<(), StoreError> {
    costs.learn(&store.read(|tx| tx.users().sample_passwords(RANGES, EACH))?);
    Ok(())
}

/// Logs a failure; whether there was none.
fn log(outcome: Result<(), StoreError>) -> bool {
    outcome.inspect_err(|error| tracing::warn!(target: "app", %error, "Hash costs were not sampled")).is_ok()
}
