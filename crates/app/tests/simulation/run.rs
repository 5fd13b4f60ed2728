//! One run: the seed interleaves requests at every call they make, with faults, crashes and clock jumps. A
//! final check inspects what is left.

use crate::answer_checker::AnswerChecker;
use crate::clients::{self, CLIENTS, ClientHistory, Pair};
use crate::coverage::Coverage;
use crate::fault_plan::FaultProfile;
use crate::node::Process;
use crate::request::{Answer, Request};
use crate::rows::EMAILS;
use crate::signer::Signed;
use crate::world::{InjectedPanic, ProcessKilled, Record, SimWorld, yield_point};
use chrono::{DateTime, TimeDelta};
use generator::{Generator, Gn};
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, UserId};
use portcullis_ports::{Clock, Entropy};
use portcullis_testkit::SeededEntropy;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Number of scheduling steps in a run.
const STEPS: usize = 300;
/// Stack size of a request, in words.
const STACK: usize = 32 * 1024;

/// Violated rule and the trace that led to it.
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) trace: Vec<String>,
}

/// Runs the simulation of a seed.
pub(crate) fn simulate(seed: u64, traced: bool) -> Result<Coverage, Violation> {
    let stage = SimWorld::new(seed, traced);
    let mut run = Run::new(&stage, seed);
    for _ in 0..STEPS {
        if stage.is_wrong() {
            break;
        }
        run.step();
    }
    if stage.is_wrong() {
        run.die();
    } else {
        run.conclude();
    }
    stage.verdict().map_err(|(what, trace)| Violation { what, trace })
}

/// Hand-over point between a client and its requests.
enum ClientSlot {
    Empty,
    Asked(Arc<Process>, Request),
    Answered(Answer),
    Closed,
}

struct Client {
    desk: Arc<Mutex<ClientSlot>>,
    requests: Generator<'static, (), ()>,
    /// Whether the client waits for an answer.
    busy: bool,
    /// Whether its token's logout had been confirmed before the request.
    ended: bool,
    last: Option<(Request, Answer)>,
}

struct Run<'a> {
    stage: &'a Arc<SimWorld>,
    entropy: Arc<dyn Entropy>,
    node: Arc<Process>,
    clients: Vec<Client>,
    told: ClientHistory,
    ledger: AnswerChecker,
}

impl<'a> Run<'a> {
    fn new(stage: &'a Arc<SimWorld>, seed: u64) -> Self {
        // Accounts created by another program, one with a hash to be replaced.
        for (client, scheme) in [(0, "old"), (1, "new")] {
            if stage.dice.chance(70) {
                let hash = PasswordHash::new(format!("{scheme}:{}", clients::password(client)));
                let credentials = Credentials::from_hash(hash);
                let email = EmailAddress::from_stored(clients::email(client).to_owned());
                stage.memory.adopt(NewUser { email, credentials, created_at: DateTime::UNIX_EPOCH, verified_at: None });
            }
        }
        stage.read_rows();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(!seed));
        let node = Process::start(stage, &entropy);
        let clients = (0..CLIENTS).map(|_| Client::new()).collect();
        Self { stage, entropy, node, clients, told: ClientHistory::default(), ledger: AnswerChecker::default() }
    }

    /// Injects an event or resumes a client.
    fn step(&mut self) {
        let (stage, dice) = (self.stage, &self.stage.dice);
        let moment = if dice.chance(50) { 0 } else { u64::try_from(dice.below(200)).unwrap() };
        stage.clock.advance(Duration::from_millis(moment));
        match dice.below(1000) {
            0..30 => {
                let weather = dice.pick(&FaultProfile::CHANGING);
                stage.tell(|| format!("weather: {weather:?}"));
                stage.with(|state| state.weather = weather);
            }
            30..50 => self.jump(),
            50..60 => self.wait(),
            60..70 => self.toggle(),
            70..75 => self.die(),
            _ => self.go_on(dice.below(CLIENTS)),
        }
    }

    /// Sets the wall clock forward or back, often to a moment at which a token's verdict changes.
    fn jump(&self) {
        let (dice, now) = (&self.stage.dice, self.stage.clock.now());
        let signed: Vec<Signed> = self.stage.with(|state| state.signed.values().cloned().collect());
        let to = if signed.is_empty() || dice.chance(40) {
            now + TimeDelta::seconds(dice.pick(&[-7200, -600, -5, 5, 900, 7200]))
        } else {
            let token = dice.pick(&signed);
            let moment = dice.pick(&[token.expires_at, token.issued_at - TimeDelta::seconds(60)]);
            moment + TimeDelta::nanoseconds(dice.pick(&[-1, 0, 1]))
        };
        self.stage.tell(|| format!("the clock is set from {now} to {to}"));
        self.stage.clock.set(to);
    }

    /// Advances time: until the circuit may be probed, access tokens expire or refresh tokens expire.
    fn wait(&self) {
        let seconds = self.stage.dice.pick(&[1, 2, 2, 30, 900, 86_400 * 7]);
        self.stage.tell(|| format!("{seconds} s pass"));
        self.stage.clock.advance(Duration::from_secs(seconds));
    }

    /// Disables or enables an account, as an operator would.
    fn toggle(&self) {
        let id = UserId::new(i64::try_from(1 + self.stage.dice.below(EMAILS.len())).unwrap());
        let active = self.stage.dice.chance(60);
        self.stage.tell(|| format!("account {id} is switched {}", if active { "on" } else { "off" }));
        self.stage.memory.set_active(id, active);
        self.stage.read_rows();
    }

    /// Kills the process. Uncommitted work is lost, and its callers get no answer.
    fn die(&mut self) {
        self.stage.tell(|| "the process dies".to_owned());
        self.stage.set_dying(true);
        for client in 0..CLIENTS {
            if self.clients[client].busy {
                self.resume(client);
            }
        }
        self.stage.set_dying(false);
        self.node = Process::start(self.stage, &self.entropy);
    }

    fn go_on(&mut self, client: usize) {
        if !self.clients[client].busy {
            let last = self.clients[client].last.as_ref();
            let request = clients::next(client, last, &self.told, &self.stage.dice);
            self.ask(client, request);
        }
        self.resume(client);
    }

    fn ask(&mut self, client: usize, request: Request) {
        let began = self.stage.clock.now();
        self.stage.with(|state| {
            state.client = client;
            state.records.insert(client, Record::of(request.clone(), began));
        });
        self.stage.tell(|| format!("asks {request:?}"));
        self.clients[client].ended = self.ledger.has_ended(self.stage, &request);
        self.clients[client].busy = true;
        self.clients[client].put(ClientSlot::Asked(self.node.clone(), request));
    }

    /// Resumes a client's request until its next pause or its answer.
    fn resume(&mut self, number: usize) {
        self.stage.with(|state| state.client = number);
        let client = &mut self.clients[number];
        client.requests.resume();
        let ClientSlot::Answered(answer) = client.put(ClientSlot::Empty) else { return };
        client.busy = false;
        self.stage.tell(|| format!("is told {answer:?}"));
        let record = self.stage.with(|state| state.records.remove(&number)).unwrap();
        self.ledger.take(self.stage, &record, &answer, client.ended);
        if let Answer::Pair { access, refresh } = &answer {
            self.told.pairs.push(Pair { client: number, access: access.clone(), refresh: refresh.clone() });
        }
        client.last = Some((record.request, answer));
    }

    /// Runs a request without faults. Every rule still applies.
    fn ask_at_last(&mut self, request: Request) -> Answer {
        self.ask(0, request);
        while self.clients[0].busy {
            self.resume(0);
        }
        self.clients[0].last.as_ref().map(|(_, answer)| answer.clone()).unwrap()
    }

    /// Ends the faults, answers all requests and lets the circuit close. Then presents every issued token
    /// again.
    fn conclude(&mut self) {
        let stage = self.stage;
        stage.tell(|| "the faults end".to_owned());
        stage.with(|state| state.weather = FaultProfile::Perfect);
        while let Some(client) = self.clients.iter().position(|client| client.busy) {
            self.resume(client);
        }
        stage.clock.advance(Duration::from_secs(3));
        let ready = self.ask_at_last(Request::Readiness);
        stage.expect(ready == Answer::Ready(true), || "the service did not recover".to_owned());
        for (jti, live, revoked) in stage.with(|state| state.rows.lines()) {
            stage.expect(live == usize::from(!revoked), || format!("{live} live tokens in the line of {jti}"));
        }
        let pairs = self.told.pairs.clone();
        let lost = |state: &mut crate::world::State| {
            let kept = |pair: &&Pair| state.rows.tokens.contains_key(&state.signed[&pair.refresh].jti);
            pairs.iter().filter(|pair| !kept(pair)).count()
        };
        let lost = stage.with(lost);
        stage.expect(lost == 0, || format!("{lost} tokens were handed out that the store does not know"));
        for pair in &pairs {
            self.ask_at_last(Request::Authenticate { token: pair.access.clone() });
            self.ask_at_last(Request::Refresh { token: pair.refresh.clone() });
        }
        for client in 0..CLIENTS {
            let (email, password) = (clients::email(client).to_owned(), clients::password(client));
            self.ask_at_last(Request::LogIn { email, password, coded: true });
        }
    }
}

impl Client {
    fn new() -> Self {
        let desk = Arc::new(Mutex::new(ClientSlot::Empty));
        let shared = desk.clone();
        let requests = Gn::new_opt(STACK, move || {
            while let Some((node, request)) = take(&shared) {
                let answer = catch_unwind(AssertUnwindSafe(|| request.run(&node)));
                drop(node);
                *shared.lock().unwrap() = ClientSlot::Answered(answer.unwrap_or_else(unwound));
                yield_point();
            }
        });
        Self { desk, requests, busy: false, ended: false, last: None }
    }

    fn put(&self, on_desk: ClientSlot) -> ClientSlot {
        std::mem::replace(&mut self.desk.lock().unwrap(), on_desk)
    }
}

/// Takes the next request from the slot. `None` once the client is closed.
fn take(desk: &Mutex<ClientSlot>) -> Option<(Arc<Process>, Request)> {
    match std::mem::replace(&mut *desk.lock().unwrap(), ClientSlot::Empty) {
        ClientSlot::Asked(node, request) => Some((node, request)),
        ClientSlot::Empty | ClientSlot::Answered(_) | ClientSlot::Closed => None,
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.put(ClientSlot::Closed);
            self.requests.resume();
        }
    }
}

fn unwound(panic: Box<dyn std::any::Any + Send>) -> Answer {
    if panic.is::<ProcessKilled>() {
        Answer::Lost
    } else if panic.is::<InjectedPanic>() {
        Answer::Panicked
    } else {
        resume_unwind(panic)
    }
}
