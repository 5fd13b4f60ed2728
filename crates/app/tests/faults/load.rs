//! Clients at work during a fault. The oracle checks what they find afterwards.

use super::oracle::{Client, Cut, History};
use crate::harness::bounds::SetOnDrop;
use crate::harness::services::Service;
use crate::harness::timing::{eventually, pause};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;
/// Pause of a refused client: clients that retry at once would prove nothing.
const AFTER_REFUSAL: Duration = Duration::from_millis(25);

/// Progress of the clients.
#[derive(Default)]
pub(crate) struct Progress {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    /// Clients whose service is gone.
    gone: AtomicUsize,
}

impl Progress {
    /// Waits until `more` further operations are acknowledged.
    pub(crate) fn acknowledge(&self, more: usize) {
        Self::grow(&self.acknowledged, more);
    }

    /// The same, or until the service is gone.
    pub(crate) fn acknowledge_or_end(&self, more: usize) {
        let (acknowledged, gone) = (&self.acknowledged, &self.gone);
        let wanted = acknowledged.load(Ordering::SeqCst) + more;
        let over = || acknowledged.load(Ordering::SeqCst) >= wanted || gone.load(Ordering::SeqCst) == CLIENTS;
        eventually("the clients come so far, or to their end", || over().then_some(()));
    }

    /// Waits until `more` further operations are refused.
    pub(crate) fn refuse(&self, more: usize) {
        Self::grow(&self.refused, more);
    }

    fn grow(count: &AtomicUsize, more: usize) {
        let wanted = count.load(Ordering::SeqCst) + more;
        eventually("the clients come so far", || (count.load(Ordering::SeqCst) >= wanted).then_some(()));
    }
}

/// Runs one history after another per client while `meanwhile` runs, and returns all histories. A client
/// stops once its service is gone.
pub(crate) fn work(services: &[&Service], meanwhile: impl FnOnce(&Progress)) -> Vec<History> {
    let (histories, progress, over) = (Mutex::new(Vec::new()), Progress::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (histories, progress, over) = (&histories, &progress, &over);
            scope.spawn(move || {
                let answered = || _ = progress.acknowledged.fetch_add(1, Ordering::SeqCst);
                let client = Client::new(services, &answered);
                while !over.load(Ordering::SeqCst) {
                    let history = client.live(number);
                    let cut = history.cut;
                    histories.lock().unwrap().push(history);
                    match cut {
                        Some(Cut::Gone) => {
                            progress.gone.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                        Some(Cut::Refused) => {
                            progress.refused.fetch_add(1, Ordering::SeqCst);
                            pause(AFTER_REFUSAL);
                        }
                        None => {}
                    }
                }
            });
        }
        let _over = SetOnDrop(&over);
        meanwhile(&progress);
    });
    histories.into_inner().unwrap()
}
