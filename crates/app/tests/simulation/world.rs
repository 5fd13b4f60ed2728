//! What one run shares: the clock, the store, the seed's choices, the requests under way and what
//! was found wrong. One thread runs at a time, so that its lock is never waited for.

use crate::coverage::Coverage;
use crate::fault_plan::FaultProfile;
use crate::request::{Answer, Request};
use crate::rng::SeededRng;
use crate::rows::{Change, Rows};
use crate::signer::Signed;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_ports::{Clock, HasherError, StoreError};
use portcullis_testkit::{FixedClock, MemoryStore};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

/// What unwinds a request whose process dies.
pub(crate) struct ProcessKilled;
/// What unwinds a request that panics on purpose.
pub(crate) struct InjectedPanic;

/// The stage of one run.
pub(crate) struct SimWorld {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) dice: SeededRng,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) weather: FaultProfile,
    /// What the store holds, read after every call to it.
    pub(crate) rows: Rows,
    /// Every token that was ever signed, whoever has it.
    pub(crate) signed: BTreeMap<String, Signed>,
    /// Who runs now.
    pub(crate) client: usize,
    /// The request of each client.
    pub(crate) records: BTreeMap<usize, Record>,
    pub(crate) coverage: Coverage,
    dying: bool,
    wrong: Option<String>,
    trace: Option<Vec<String>>,
}

/// What is known of a request under way.
pub(crate) struct Record {
    pub(crate) request: Request,
    /// The wall clock when it began.
    pub(crate) began: DateTime<Utc>,
    /// What it may be told, by what the store held whenever it looked.
    pub(crate) due: Vec<Answer>,
    /// What it changed.
    pub(crate) effects: Vec<Change>,
    /// How many times it came through to the store, and to the hasher.
    pub(crate) reached: usize,
    /// How its last call ended, as the use case saw it.
    pub(crate) store_error: Option<StoreError>,
    pub(crate) hasher_error: Option<HasherError>,
    /// Whether an answer of the store was lost after its commit, the signer was made to fail, a
    /// panic was staged.
    pub(crate) lost: bool,
    pub(crate) unsigned: bool,
    pub(crate) staged: bool,
}

impl SimWorld {
    pub(crate) fn new(seed: u64, traced: bool) -> Arc<Self> {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let state = State {
            weather: FaultProfile::Calm,
            rows: Rows::default(),
            signed: BTreeMap::new(),
            client: 0,
            records: BTreeMap::new(),
            coverage: Coverage::default(),
            dying: false,
            wrong: None,
            trace: traced.then(Vec::new),
        };
        Arc::new(Self { clock, memory: Arc::default(), dice: SeededRng::new(seed), state: Mutex::new(state) })
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the request that runs now.
    pub(crate) fn record<T>(&self, look: impl FnOnce(&mut Record) -> T) -> T {
        self.with(|state| {
            let client = state.client;
            look(state.records.get_mut(&client).unwrap())
        })
    }

    /// Lets others run. Whoever waits here while the process dies does not come back.
    pub(crate) fn pause(&self) {
        yield_point();
        if self.with(|state| state.dying) {
            resume_unwind(Box::new(ProcessKilled));
        }
    }

    pub(crate) fn set_dying(&self, dying: bool) {
        self.with(|state| state.dying = dying);
    }

    /// Reads the rows anew, for what they are from now on.
    pub(crate) fn read_rows(&self) {
        let rows = Rows::of(&self.memory);
        self.with(|state| state.rows = rows);
    }

    /// Something is not as it must be. The first fault counts: others follow from it.
    pub(crate) fn wrong(&self, what: impl FnOnce() -> String) {
        self.with(|state| {
            let client = state.client;
            state.wrong.get_or_insert_with(|| format!("client {client}: {}", what()));
        });
    }

    pub(crate) fn expect(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what);
        }
    }

    pub(crate) fn verdict(&self) -> Result<Coverage, (String, Vec<String>)> {
        self.with(|state| match state.wrong.take() {
            Some(wrong) => Err((wrong, state.trace.take().unwrap_or_default())),
            None => Ok(std::mem::take(&mut state.coverage)),
        })
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.with(|state| state.wrong.is_some())
    }

    pub(crate) fn cover(&self, what: &'static str) {
        self.with(|state| state.coverage.add(what));
        self.tell(|| format!("  ({what})"));
    }

    /// Adds a line to the trace, if there is one.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        let at = self.clock.monotonic();
        self.with(|state| {
            let client = state.client;
            if let Some(trace) = &mut state.trace {
                trace.push(format!("{:>10.3} s  client {client}  {}", at.as_secs_f64(), line()));
            }
        });
    }
}

/// Gives the thread back to whoever resumed this request.
pub(crate) fn yield_point() {
    #[expect(deprecated, reason = "the scope that replaces it cannot reach through the ports")]
    generator::yield_with(());
}

impl Record {
    pub(crate) fn of(request: Request, began: DateTime<Utc>) -> Self {
        Self {
            request,
            began,
            due: Vec::new(),
            effects: Vec::new(),
            reached: 0,
            store_error: None,
            hasher_error: None,
            lost: false,
            unsigned: false,
            staged: false,
        }
    }
}
