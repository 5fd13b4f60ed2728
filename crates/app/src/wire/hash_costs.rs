//! Samples the costs of stored password hashes periodically, so that a login with an unknown email
//! address takes as long as any other (no user enumeration by timing).

use super::AppContext;
use portcullis_bcrypt::StoredCosts;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// A sample has up to 16 hashes from each of 64 id ranges.
const RANGES: u32 = 64;
const EACH: u32 = 16;
/// Logins and operators change hashes between samples.
const INTERVAL: Duration = Duration::from_secs(60);
/// Interval until the first sample succeeds, for example while PostgreSQL is unreachable.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

/// Takes samples on a background thread until dropped.
pub(crate) struct CostSampling {
    _stop: Sender<()>,
}

impl CostSampling {
    /// Starts the sampling thread. If the database has been reached (`is_ready`), takes the first
    /// sample before returning.
    pub(crate) fn start(parts: &AppContext, costs: &Arc<StoredCosts>, is_ready: bool) -> io::Result<Self> {
        let (store, costs) = (parts.database.store.clone(), Arc::clone(costs));
        let mut is_known = is_ready && log(sample(&*store, &costs));
        let (stop, stopped) = channel::<()>();
        std::thread::Builder::new().name("hash-costs".to_owned()).spawn(move || {
            let wait = |is_known| if is_known { INTERVAL } else { FIRST_INTERVAL };
            while matches!(stopped.recv_timeout(wait(is_known)), Err(RecvTimeoutError::Timeout)) {
                // Until the first sample, failures are not logged: `migrate` logs the wait for the database.
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

/// Logs a failure. Returns whether the sample succeeded.
fn log(outcome: Result<(), StoreError>) -> bool {
    outcome.inspect_err(|error| tracing::warn!(target: "app", %error, "Sampling hash costs failed")).is_ok()
}
