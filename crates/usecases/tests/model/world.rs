//! State of the model: the clients of one session, the database, and all possible next steps.
//! `properties.rs` has the invariants, `explorer.rs` the search.

use crate::answers::Answer;
use crate::clients::{DEVICE, Request, Role, SPARING, Scenario, WAITS};
use crate::database::{Database, Flaw, Isolation, Lock, Pending, Progress, Step};
use crate::replay::{Next, Rules, Run};
use crate::rows::{Call, FIRST, Found, Key, MODELLED, Reply, Row, Seconds, Spent, State, Token};
use portcullis_domain::tokens::RefreshPolicy;
use std::cell::RefCell;
use std::collections::HashMap;

/// A request in flight.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) run: Run,
    replies: Vec<Reply>,
    wanted: Call,
    pending: Pending,
    /// `true` if the session ended before the request was sent.
    pub(crate) late: bool,
    /// `true` if the request was sent with a token spent longer ago than the grace, without a right to
    /// retry.
    pub(crate) doomed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    Flying(Box<Flight>),
    Answered(Request, Answer),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) phase: Phase,
    pub(crate) made: u8,
    /// Token that an attacker has copied.
    pub(crate) stolen: Option<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) clients: Vec<Client>,
    /// Token that the owner's processes share.
    pub(crate) jar: Token,
    pub(crate) now: Seconds,
    pub(crate) waits: u8,
    pub(crate) faults: u8,
    /// `true` once an end of the session was confirmed.
    pub(crate) closed: bool,
    /// Tokens issued to the owner, and to attackers.
    pub(crate) given: [Vec<Token>; 2],
    /// Response of the last step.
    pub(crate) told: Option<(usize, Box<Flight>, Answer)>,
}

/// Possible next steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Send(usize, Request),
    /// The store executes one step of the client's request.
    Step(usize),
    /// The process or the connection dies. Uncommitted changes are lost.
    Die(usize),
    /// The batch of the request fails because of another row. Nothing is written.
    FailBatch(usize),
    Deliver(usize),
    Lose(usize),
    Steal(usize),
    Wait(Seconds),
}

/// A scenario with cached facts about the use cases.
pub(crate) struct Stage {
    pub(crate) scenario: Scenario,
    known: RefCell<HashMap<(Run, Vec<Reply>), Next>>,
}

pub(crate) fn owners_key(token: Token) -> Key {
    token
}

impl Flight {
    /// Describes the store call and its progress.
    pub(crate) fn stands_at(&self) -> String {
        let Self { wanted, pending, .. } = self;
        format!("{wanted:?}, part {}", pending.stage + 1)
    }
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let client = Client { phase: Phase::Idle, made: 0, stolen: None };
        let first = Row { token: FIRST, created_at: 0, state: State::Live };
        Self {
            database: Database { rows: vec![first], ended: [false; 2] },
            clients: vec![client; scenario.clients.len()],
            jar: FIRST,
            now: 0,
            waits: scenario.waits,
            faults: scenario.faults,
            closed: false,
            given: [vec![FIRST], Vec::new()],
            told: None,
        }
    }

    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.clients.iter().filter_map(|client| match &client.phase {
            Phase::Flying(flight) => Some(&**flight),
            _ => None,
        })
    }

    /// Counts the live tokens that the service would accept.
    pub(crate) fn usable(&self) -> usize {
        let ended = self.database.ended[usize::from(MODELLED)];
        self.database.rows.iter().filter(|row| row.state == State::Live && !ended).count()
    }

    /// Returns whether a request presents a token that was spent longer ago than the grace and is not
    /// the owner's newest.
    fn has_stragglers(&self, policy: &RefreshPolicy) -> bool {
        self.flights().any(|flight| match flight.run.request {
            Request::Refresh { token, .. } => token != self.jar && self.is_doomed(token, None, policy),
            _ => false,
        })
    }

    /// Returns whether the token was spent longer ago than the grace and cannot be retried with that
    /// key: the key differs or the successor is spent.
    fn is_doomed(&self, token: Token, key: Option<Key>, policy: &RefreshPolicy) -> bool {
        let Some(Row { state: State::Spent(Spent { at, .. }), .. }) = self.database.row(token) else {
            return false;
        };
        i64::from(self.now - at) > policy.grace.num_seconds() && !self.database.is_retried(token, key)
    }
}

impl Stage {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self { scenario, known: RefCell::default() }
    }

    fn next(&self, flight: &Flight) -> Next {
        let question = (flight.run, flight.replies.clone());
        let one_statement = self.scenario.isolation == Isolation::ReadCommitted;
        let rules = Rules { policy: self.scenario.policy, one_statement };
        let mut known = self.known.borrow_mut();
        known.entry(question).or_insert_with(|| flight.run.next(&flight.replies, &rules)).clone()
    }

    /// Returns all possible next steps.
    pub(crate) fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        for (number, client) in world.clients.iter().enumerate() {
            match &client.phase {
                Phase::Idle => self.beginnings(world, number, &mut actions),
                Phase::Flying(flight) => {
                    if !matches!(self.clone_step(world, number), Progress::Waits) {
                        actions.push(Action::Step(number));
                    }
                    if world.faults > 0 {
                        actions.push(Action::Die(number));
                        if flight.replies.is_empty() && matches!(flight.wanted, Call::Rotate(_)) {
                            actions.push(Action::FailBatch(number));
                        }
                    }
                }
                Phase::Answered(..) => {
                    actions.push(Action::Deliver(number));
                    if world.faults > 0 {
                        actions.push(Action::Lose(number));
                    }
                }
            }
        }
        let still = world.clients.iter().all(|client| client.phase == Phase::Idle);
        let any = still || !self.is_honest() || self.has_tabs();
        let allowed = |wait: &Seconds| any || i64::from(*wait) <= self.grace();
        if world.waits > 0 {
            actions.extend(WAITS.into_iter().filter(allowed).map(Action::Wait));
        }
        actions
    }

    fn grace(&self) -> i64 {
        self.scenario.policy.grace.num_seconds()
    }

    /// Returns whether only the owner takes part, by the rules.
    pub(crate) fn is_honest(&self) -> bool {
        self.scenario.clients.iter().all(|(role, _)| match role {
            Role::Owner | Role::Tab => true,
            Role::Ender(ends) => ends.iter().all(|end| SPARING.contains(end)),
            _ => false,
        })
    }

    /// Returns whether the owner uses a browser.
    pub(crate) fn has_tabs(&self) -> bool {
        self.scenario.clients.iter().any(|(role, _)| *role == Role::Tab)
    }

    fn beginnings(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let (role, most) = self.scenario.clients[number];
        let client = &world.clients[number];
        if client.made == most {
            return;
        }
        let refresh = |token, key| Action::Send(number, Request::Refresh { token, key });
        match role {
            Role::Owner if self.scenario.orderly && world.has_stragglers(&self.scenario.policy) => {}
            Role::Owner => actions.push(refresh(world.jar, Some(owners_key(world.jar)))),
            Role::Keyless => actions.push(refresh(world.jar, None)),
            Role::Tab => actions.push(refresh(world.jar, Some(DEVICE))),
            Role::Thief | Role::KeyedThief => match client.stolen {
                None => actions.push(Action::Steal(number)),
                Some(token) => {
                    let key = (role == Role::KeyedThief).then_some(200);
                    actions.push(refresh(token, key));
                    actions.push(Action::Send(number, Request::LogOut { token }));
                }
            },
            Role::Ender(ends) => actions.extend(ends.iter().map(|end| Action::Send(number, end.request(world.jar)))),
        }
    }

    fn taken(&self, world: &World, number: usize) -> Vec<Lock> {
        let others = world.clients.iter().enumerate().filter(|(other, _)| *other != number);
        let locks = others.filter_map(|(_, client)| match &client.phase {
            Phase::Flying(flight) => Some(flight.pending.locks.clone()),
            _ => None,
        });
        locks.flatten().collect()
    }

    fn step(&self, world: &mut World, flight: &mut Flight, taken: &[Lock]) -> Progress {
        let Scenario { isolation, flaw, .. } = self.scenario;
        let (database, own, now) = (&mut world.database, &mut flight.pending, world.now);
        let progress = Step { database, own, taken, isolation, flaw, now }.take(&flight.wanted);
        match progress {
            Progress::Replied(reply) => Progress::Replied(self.told(reply, &flight.run)),
            other => other,
        }
    }

    fn told(&self, reply: Reply, run: &Run) -> Reply {
        match (self.scenario.flaw, reply, run.request) {
            (Flaw::TakesAnyKey, Reply::Found(Some(found)), Request::Refresh { key, .. }) => {
                let state = match found.row.state {
                    State::Spent(spent) => State::Spent(Spent { key, ..spent }),
                    other => other,
                };
                Reply::Found(Some(Found { row: Row { state, ..found.row }, ..found }))
            }
            (_, reply, _) => reply,
        }
    }

    fn clone_step(&self, world: &World, number: usize) -> Progress {
        let mut world = world.clone();
        let Phase::Flying(mut flight) = world.clients[number].phase.clone() else { return Progress::Waits };
        let taken = self.taken(&world, number);
        self.step(&mut world, &mut flight, &taken)
    }

    /// Returns the world after an action.
    pub(crate) fn after(&self, world: &World, action: Action) -> World {
        let mut next = world.clone();
        next.told = None;
        match action {
            Action::Send(number, request) => self.send(&mut next, number, request),
            Action::Step(number) => self.advance(&mut next, number, None),
            Action::FailBatch(number) => {
                next.faults -= 1;
                self.advance(&mut next, number, Some(Reply::Failed));
            }
            Action::Die(number) | Action::Lose(number) => {
                next.faults -= 1;
                next.clients[number].phase = Phase::Idle;
            }
            Action::Deliver(number) => self.deliver(&mut next, number),
            Action::Steal(number) => {
                next.clients[number].stolen = Some(next.jar);
                next.given[1].push(next.jar);
            }
            Action::Wait(time) => {
                next.waits -= 1;
                next.now += time;
            }
        }
        next
    }

    fn send(&self, world: &mut World, number: usize, request: Request) {
        let made = world.clients[number].made;
        let makes = 2 + u8::try_from(number).unwrap() * 16 + made;
        let doomed = match request {
            Request::Refresh { token, key } => world.is_doomed(token, key, &self.scenario.policy),
            _ => false,
        };
        let late = world.closed || world.database.ended[usize::from(MODELLED)];
        let run = Run { request, at: world.now, makes };
        let (replies, pending) = (Vec::new(), Pending::default());
        let mut flight = Flight { run, replies, wanted: Call::Commit, pending, late, doomed };
        world.clients[number].made += 1;
        let answer = self.settle(world, number, &mut flight);
        self.land(world, number, flight, answer);
    }

    fn advance(&self, world: &mut World, number: usize, staged: Option<Reply>) {
        let Phase::Flying(flight) = world.clients[number].phase.clone() else { return };
        let (mut flight, taken) = (*flight, self.taken(world, number));
        let progress = match staged {
            Some(reply) => {
                flight.pending = Pending::default();
                Progress::Replied(reply)
            }
            None => self.step(world, &mut flight, &taken),
        };
        let mut answer = None;
        if let Progress::Replied(reply) = progress {
            flight.replies.push(reply);
            answer = self.settle(world, number, &mut flight);
        }
        self.land(world, number, flight, answer);
    }

    /// Runs the use case until its next call that others can observe.
    fn settle(&self, world: &mut World, number: usize, flight: &mut Flight) -> Option<Answer> {
        loop {
            match self.next(flight) {
                Next::Answers(answer) => return Some(answer),
                Next::Asks(call) => flight.wanted = call,
            }
            if !Step::is_unseen(&flight.wanted, self.scenario.isolation) {
                return None;
            }
            let taken = self.taken(world, number);
            loop {
                match self.step(world, flight, &taken) {
                    Progress::Replied(reply) => break flight.replies.push(reply),
                    Progress::Goes => {}
                    Progress::Waits => panic!("what nobody sees waits for nobody: {:?}", flight.wanted),
                }
            }
        }
    }

    fn land(&self, world: &mut World, number: usize, flight: Flight, answer: Option<Answer>) {
        let Some(answer) = answer else {
            world.clients[number].phase = Phase::Flying(Box::new(flight));
            return;
        };
        let request = flight.run.request;
        world.closed |= answer == Answer::Ended && !request.spares();
        if let Answer::Pair { token, .. } = answer {
            let given = &mut world.given[usize::from(self.is_thief(number))];
            given.push(token);
            given.sort_unstable();
            given.dedup();
        }
        world.clients[number].phase = Phase::Answered(request, answer);
        world.told = Some((number, Box::new(flight), answer));
    }

    pub(crate) fn is_thief(&self, number: usize) -> bool {
        matches!(self.scenario.clients[number].0, Role::Thief | Role::KeyedThief)
    }

    /// A process of the owner stores the received pair, unless a newer one is stored. A browser always does.
    fn deliver(&self, world: &mut World, number: usize) {
        let phase = std::mem::replace(&mut world.clients[number].phase, Phase::Idle);
        if let Phase::Answered(Request::Refresh { token: shown, .. }, Answer::Pair { token, .. }) = phase {
            if self.is_thief(number) {
                world.clients[number].stolen = Some(token);
            } else if world.jar == shown || self.has_tabs() {
                world.jar = token;
            }
        }
    }
}
