//! Possible steps of the owner of an address and an attacker, and their effects.

use super::house::{House, Proof};
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::Store;
use portcullis_testkit::{MemoryStore, Watched};
use std::sync::{Arc, Mutex};

/// Email address of the owner, and of the attacker.
pub(super) const OWNED: &str = "owner@example.org";
pub(super) const THEIRS: &str = "stranger@example.net";
/// Password of the owner.
pub(super) const OWN: &str = "the owner's own";
/// Passwords of the attacker: the first, and a changed one.
pub(super) const STRANGERS: [&str; 2] = ["the stranger's first", "the stranger's second"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Owner,
    Stranger,
}

/// Act of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Register(Who, &'static str),
    LogIn(Who, &'static str, &'static str),
    Resend,
    Forgot(&'static str),
    /// The attacker requests another email.
    ChangeEmail(&'static str, &'static str),
    /// The attacker changes the password.
    ChangePassword(&'static str, &'static str),
    /// A person uses a token from their mailbox.
    Open(Who, usize, Proof),
    Deliver,
}

/// An act, and another one that happens before its first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) meanwhile: Option<Act>,
}

/// Things that a person has.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    /// An access token.
    pub(super) session: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) mailbox: Vec<OneTimeToken>,
}

/// Outcome of a verification by the owner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) purpose: Purpose,
    pub(super) proof: Proof,
    pub(super) removed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) store: Arc<MemoryStore>,
    pub(super) owner: Person,
    pub(super) stranger: Person,
    pub(super) trail: Vec<Step>,
    /// Outcome of the last step.
    pub(super) outcome: Option<Outcome>,
}

/// Rules of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// `true` if emails arrive at once.
    pub(super) prompt: bool,
    /// `true` if the attacker knows the owner's password.
    pub(super) leaked: bool,
    /// The flaw: the owner's browser sends the attacker's device cookie.
    pub(super) planted: bool,
}

impl Rules {
    /// Returns the passwords that the attacker knows.
    pub(super) fn known(self) -> Vec<&'static str> {
        let own = self.leaked.then_some(OWN);
        STRANGERS.into_iter().chain(own).collect()
    }
}

/// Returns the clear text of an account's password.
pub(super) fn password_of(owner: &Owner) -> &'static str {
    let text = owner.credentials.text().split_once(':').map_or("", |(_, text)| text);
    STRANGERS.into_iter().chain([OWN]).find(|known| *known == text).unwrap_or("nobody's")
}

impl State {
    pub(super) fn account(&self, email: &str) -> Option<Owner> {
        self.store.owners(&EmailAddress::parse(email).unwrap()).unwrap().pop()
    }

    pub(super) fn person(&mut self, who: Who) -> &mut Person {
        match who {
            Who::Owner => &mut self.owner,
            Who::Stranger => &mut self.stranger,
        }
    }

    pub(super) fn person_at(&mut self, email: &str) -> &mut Person {
        self.person(if email == OWNED { Who::Owner } else { Who::Stranger })
    }

    fn seed(&self) -> u64 {
        u64::try_from(self.trail.len()).unwrap() * 4
    }

    /// Returns the service in its current state, for queries.
    pub(super) fn house(&self) -> House {
        House::at(self.seed() + 1, self.store.clone())
    }

    /// Returns the account that a person is logged in to.
    pub(super) fn signed_in(&self, person: &Person) -> Option<User> {
        person.session.as_ref().and_then(|access| self.house().authenticate(access)).map(|owner| owner.user)
    }

    fn strangers_acts(&self, rules: Rules) -> Vec<Act> {
        let mut acts = Vec::new();
        for email in [OWNED, THEIRS] {
            match self.account(email) {
                None => acts.push(Act::Register(Who::Stranger, email)),
                Some(owner) => {
                    let knows = rules.known().into_iter().find(|known| *known == password_of(&owner));
                    acts.extend(knows.map(|password| Act::LogIn(Who::Stranger, email, password)));
                }
            }
        }
        if let Some(user) = self.signed_in(&self.stranger)
            && let Some(owner) = self.account(user.email.original())
            && let Some(password) = rules.known().into_iter().find(|known| *known == password_of(&owner))
        {
            let to = if user.email.canonical() == OWNED { THEIRS } else { OWNED };
            let other = if password == STRANGERS[0] { STRANGERS[1] } else { STRANGERS[0] };
            acts.extend([Act::ChangeEmail(password, to), Act::ChangePassword(password, other)]);
        }
        for number in 0..self.stranger.mailbox.len() {
            acts.push(Act::Open(Who::Stranger, number, Proof::Nothing));
            if self.stranger.session.is_some() {
                acts.push(Act::Open(Who::Stranger, number, Proof::Session));
            }
        }
        acts
    }

    fn owners_openings(&self, rules: Rules) -> Vec<Act> {
        let mut proofs = vec![Proof::Nothing, Proof::Password(OWN)];
        proofs.extend(self.owner.session.as_ref().map(|_| Proof::Session));
        let cookie = if rules.planted { &self.stranger.cookie } else { &self.owner.cookie };
        proofs.extend(cookie.as_ref().map(|_| Proof::Device));
        let numbers = 0..self.owner.mailbox.len();
        numbers.flat_map(|number| proofs.iter().map(move |proof| Act::Open(Who::Owner, number, *proof))).collect()
    }

    /// Returns all possible next steps.
    pub(super) fn steps(&self, rules: Rules) -> Vec<Step> {
        let (theirs, openings) = (self.strangers_acts(rules), self.owners_openings(rules));
        let mut acts = [theirs.clone(), openings.clone()].concat();
        acts.extend([Act::Forgot(OWNED), Act::Forgot(THEIRS)]);
        match self.account(OWNED) {
            None => acts.push(Act::Register(Who::Owner, OWNED)),
            Some(owner) => {
                let own = password_of(&owner) == OWN;
                acts.extend(own.then_some(Act::LogIn(Who::Owner, OWNED, OWN)));
                acts.extend(owner.user.email_verified_at.is_none().then_some(Act::Resend));
            }
        }
        if !rules.prompt && !self.store.mails().is_empty() {
            acts.push(Act::Deliver);
        }
        let mut steps: Vec<_> = acts.into_iter().map(|act| Step { act, meanwhile: None }).collect();
        for other in theirs {
            for opening in &openings {
                steps.push(Step { act: other, meanwhile: Some(*opening) });
                steps.push(Step { act: *opening, meanwhile: Some(other) });
            }
        }
        steps
    }

    /// Returns the state after a step.
    pub(super) fn after(&self, step: Step, rules: Rules) -> Self {
        let store = Arc::new(self.store.fork());
        let mut next = Self { store: store.clone(), outcome: None, ..self.clone() };
        next.trail.push(step);
        let seed = next.seed();
        let state = Arc::new(Mutex::new(next));
        match step.meanwhile {
            None => perform(&state, store, (step.act, seed), rules),
            Some(other) => {
                let (inner, shared) = (store.clone(), state.clone());
                let happens = move || perform(&shared, inner, (other, seed + 2), rules);
                perform(&state, Arc::new(Watched::meanwhile(store, happens)), (step.act, seed), rules);
            }
        }
        let mut next = state.lock().unwrap().clone();
        let house = House::at(seed + 3, next.store.clone());
        if rules.prompt {
            house.deliver(&mut next);
        }
        for who in [Who::Owner, Who::Stranger] {
            // An invalid token never becomes valid again.
            next.person(who).mailbox.retain(|token| house.inspect(token).is_some());
        }
        next
    }
}

/// Performs one act on its own store.
fn perform(state: &Mutex<State>, store: Arc<dyn Store>, (act, seed): (Act, u64), rules: Rules) {
    let house = House::at(seed, store);
    let mut before = state.lock().unwrap().clone();
    match act {
        Act::Register(who, email) => house.register(email, if who == Who::Owner { OWN } else { STRANGERS[0] }),
        Act::LogIn(who, email, password) => {
            let cookie = before.person(who).cookie.clone();
            if let Some(entered) = house.log_in(email, password, cookie) {
                let mut now = state.lock().unwrap();
                let person = now.person(who);
                (person.session, person.cookie) = (Some(entered.pair.access_token), Some(entered.cookie));
            }
        }
        Act::Resend => house.resend(OWNED),
        Act::Forgot(email) => house.forgot(email),
        Act::ChangeEmail(password, to) => {
            if let Some(owner) = before.stranger.session.as_ref().and_then(|access| house.authenticate(access)) {
                house.change_email(owner, password, to);
            }
        }
        Act::ChangePassword(current, new) => {
            if let Some(owner) = before.stranger.session.as_ref().and_then(|access| house.authenticate(access)) {
                let cookie = house.change_password(owner, (current, new), before.stranger.cookie.clone());
                let stranger = &mut state.lock().unwrap().stranger;
                stranger.cookie = cookie.or(stranger.cookie.take());
            }
        }
        Act::Open(who, number, proof) => {
            let mut person = before.person(who).clone();
            let token = person.mailbox[number].clone();
            if rules.planted && who == Who::Owner {
                person.cookie.clone_from(&before.stranger.cookie);
            }
            match house.inspect(&token) {
                Some(Purpose::ResetPassword) => {
                    let new = if who == Who::Owner { OWN } else { STRANGERS[0] };
                    let cookie = house.reset(token, new, person.cookie.clone());
                    let mut now = state.lock().unwrap();
                    let person = now.person(who);
                    person.cookie = cookie.or(person.cookie.take());
                }
                Some(purpose) => {
                    let Some(verified) = house.verify(token, proof, &person) else { return };
                    let mut now = state.lock().unwrap();
                    now.person(who).mailbox.extend(verified.reset);
                    if who == Who::Owner {
                        now.outcome = Some(Outcome { purpose, proof, removed: verified.password_removed });
                    }
                }
                None => {}
            }
        }
        Act::Deliver => house.deliver(&mut state.lock().unwrap()),
    }
}
