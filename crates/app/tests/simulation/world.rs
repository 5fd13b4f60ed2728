//! Shared state of a run: clock, store, random choices, current requests and detected violations. Only one
//! thread runs at a time, so its lock is never contended.

use crate::coverage::Coverage;
use crate::fault_plan::FaultProfile;
use crate::request::{Answer, Request};
use crate::rng::SeededRng;
use crate::rows::{Change, Rows};
use crate::signer::Signed;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{Clock, HasherError, StoreError};
use portcullis_testkit::{FixedClock, MemoryStore};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

/// Panic payload that unwinds a request whose process dies.
pub(crate) struct ProcessKilled;
/// Panic payload of an injected panic.
pub(crate) struct InjectedPanic;

/// Environment of one run.
pub(crate) struct SimWorld {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) dice: SeededRng,
    state: Mutex<State>,
}

/// Mutable state.
pub(crate) struct State {
    pub(crate) weather: FaultProfile,
    /// Contents of the store, read after every call to it.
    pub(crate) rows: Rows,
    /// Every token ever signed, regardless of its holder.
    pub(crate) signed: BTreeMap<String, Signed>,
    /// Account and session of every challenge ever signed.
    pub(crate) challenges: BTreeMap<String, (UserId, SessionId)>,
    /// Index of the running client.
    pub(crate) client: usize,
    /// Current request of each client.
    pub(crate) records: BTreeMap<usize, Record>,
    pub(crate) coverage: Coverage,
    dying: bool,
    wrong: Option<String>,
    trace: Option<Vec<String>>,
}

/// Known facts about a request in progress.
pub(crate) struct Record {
    pub(crate) request: Request,
    /// Wall clock at its start.
    pub(crate) began: DateTime<Utc>,
    /// Answers it may get, one for each state of the store it saw.
    pub(crate) due: Vec<Answer>,
    /// Changes it made.
    pub(crate) effects: Vec<Change>,
    /// Number of its calls that reached the store or the hasher.
    pub(crate) reached: usize,
    /// Error of its last store call, as the use case saw it.
    pub(crate) store_error: Option<StoreError>,
    pub(crate) hasher_error: Option<HasherError>,
    /// Whether the store's answer was lost after a commit, the signer failed or a panic was injected.
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
            challenges: BTreeMap::new(),
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

    /// Accesses the record of the running request.
    pub(crate) fn record<T>(&self, look: impl FnOnce(&mut Record) -> T) -> T {
        self.with(|state| {
            let client = state.client;
            look(state.records.get_mut(&client).unwrap())
        })
    }

    /// Lets other clients run. Does not return if the process dies during the pause.
    pub(crate) fn pause(&self) {
        yield_point();
        if self.with(|state| state.dying) {
            resume_unwind(Box::new(ProcessKilled));
        }
    }

    pub(crate) fn set_dying(&self, dying: bool) {
        self.with(|state| state.dying = dying);
    }

    /// Reads the rows again after a change.
    pub(crate) fn read_rows(&self) {
        let rows = Rows::of(&self.memory);
        self.with(|state| state.rows = rows);
    }

    /// Reports a violation. Only the first counts, because others follow from it.
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

/// Yields to the caller that resumed this request.
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
