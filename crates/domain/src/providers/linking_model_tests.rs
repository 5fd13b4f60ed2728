//! A model check of linking: every order of registrations, logins, verifications, resets, email changes,
//! undos, links and provider sign-ins by two people, of any length. The decision is the real one; the rest of
//! the service is a model of its rules.
//!
//! Invariants: once the owner of the mailbox has proved that an account's email is theirs, by an email or a
//! trusted provider, the other person has no session, code, password, identity, second factor or pending
//! email change on that account.

use super::*;
use crate::providers::IdentityKey;
use crate::registration::EmailAddress;
use Person::{Attacker, Owner};
use chrono::DateTime;
use std::collections::{BTreeSet, HashSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Person {
    Owner,
    Attacker,
}

/// Email address, named after the person who reads its mailbox.
type Email = Person;

/// An identity at a provider: who signs in with it, and the email that the provider reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Identity {
    holder: Person,
    email: Email,
    trusted: bool,
}

/// A trusted provider reports the holder's own address. Elsewhere the attacker claims the owner's.
const IDENTITIES: [Identity; 4] = [
    Identity { holder: Owner, email: Owner, trusted: true },
    Identity { holder: Owner, email: Owner, trusted: false },
    Identity { holder: Attacker, email: Attacker, trusted: true },
    Identity { holder: Attacker, email: Owner, trusted: false },
];

const PEOPLE: [Person; 2] = [Owner, Attacker];

impl Person {
    fn other(self) -> Self {
        match self {
            Owner => Attacker,
            Attacker => Owner,
        }
    }
}

/// An account, and what each person has of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Account {
    verified: bool,
    /// The person who proved last that the email is theirs.
    proved: Option<Person>,
    /// The person who knows the password.
    password: Option<Person>,
    factor: Option<Person>,
    sessions: BTreeSet<Person>,
    /// One-time codes of sign-ins under way.
    codes: BTreeSet<Person>,
    identities: BTreeSet<Identity>,
    /// The person who asked for a change to the other email, not confirmed yet.
    change: Option<Person>,
    /// The other email was the account's, and an undo can restore it.
    undo: bool,
}

impl Account {
    fn admits(&self, person: Person) -> bool {
        self.factor.is_none_or(|of| of == person)
    }

    /// Removes all that no one proved, except a password that the claimant entered.
    fn wipe(&mut self, claimant: Person) {
        let password = self.password.filter(|of| *of == claimant);
        *self = Self { verified: self.verified, undo: self.undo, password, ..Self::default() };
    }

    /// The person proves by an email that the address is theirs. A session of the account keeps all.
    fn claim(&mut self, person: Person) {
        if self.sessions.contains(&person) {
            self.sessions = BTreeSet::from([person]);
            self.codes.clear();
            self.change = None;
        } else {
            self.wipe(person);
        }
        (self.verified, self.proved) = (true, Some(person));
    }

    fn sign_in(&mut self, identity: Identity) {
        self.identities.insert(identity);
        self.codes.insert(identity.holder);
        if identity.trusted && identity.holder == identity.email {
            self.proved = Some(identity.holder);
        }
    }

    fn violation(&self) -> Option<&'static str> {
        let stranger = self.proved?.other();
        let has = |of: Option<Person>| of == Some(stranger);
        [
            (self.sessions.contains(&stranger), "session"),
            (self.codes.contains(&stranger), "code"),
            (has(self.password), "password"),
            (has(self.factor), "second factor"),
            (has(self.change), "pending email change"),
            (self.identities.iter().any(|identity| identity.holder == stranger), "identity"),
        ]
        .into_iter()
        .find_map(|(has, what)| has.then_some(what))
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Register(Person, Email),
    LogIn(Person, Email),
    SignIn(Identity),
    Redeem(Person, Email),
    Link(Identity, Email),
    AddFactor(Person, Email),
    /// The owner of the mailbox opens the link to verify the address.
    Verify(Email),
    Reset(Email),
    AskForChange(Person, Email),
    /// The owner of the other mailbox confirms the change from this address.
    Change(Email),
    /// The owner of the other mailbox undoes the change to this address.
    Undo(Email),
}

type Decide = fn(&ProviderProfile, &LinkingFacts<'_>) -> Result<Link, LinkRejection>;

/// Rules under test. Everything but the default is a fault.
#[derive(Clone, Copy)]
struct Rules {
    decide: Decide,
    codes_outlive_reclaim: bool,
    identities_outlive_change: bool,
}

const RULES: Rules = Rules {
    decide: |profile, facts| LinkingPolicy::default().decide(profile, facts),
    codes_outlive_reclaim: false,
    identities_outlive_change: false,
};

/// The accounts of the owner's and of the attacker's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct State {
    owner: Option<Account>,
    attacker: Option<Account>,
}

impl State {
    fn at(&mut self, email: Email) -> &mut Option<Account> {
        match email {
            Owner => &mut self.owner,
            Attacker => &mut self.attacker,
        }
    }

    fn account(&mut self, email: Email) -> Option<&mut Account> {
        self.at(email).as_mut()
    }

    fn user(&mut self, email: Email) -> Option<User> {
        let account = self.account(email)?;
        Some(User {
            id: id(email),
            email: address(email),
            is_active: true,
            created_at: DateTime::UNIX_EPOCH,
            email_verified_at: account.verified.then_some(DateTime::UNIX_EPOCH),
        })
    }

    fn is_reserved(&mut self, email: Email) -> bool {
        self.account(email.other()).is_some_and(|account| account.undo)
    }

    /// Decides about a sign-in, and carries the decision out. Returns `None` if it is refused.
    fn decide(&mut self, identity: Identity, link_to: Option<Email>, rules: Rules) -> Option<()> {
        let mut has = |email: &Email| self.account(*email).is_some_and(|of| of.identities.contains(&identity));
        let known = PEOPLE.into_iter().find(&mut has).and_then(|email| self.user(email));
        let (link_to, accounts) = (link_to.and_then(|email| self.user(email)), self.user(identity.email));
        let facts = LinkingFacts {
            known: known.as_ref(),
            link_to: link_to.as_ref(),
            again: None,
            accounts: accounts.as_slice(),
            is_reserved: self.is_reserved(identity.email),
        };
        let found = |of: UserId| PEOPLE.into_iter().find(|email| id(*email) == of);
        match (rules.decide)(&profile(identity), &facts).ok()? {
            Link::SignIn(of) => {
                self.account(found(of)?)?.codes.insert(identity.holder);
            }
            Link::AlreadyLinked(_) => {}
            Link::LinkTo(of) => {
                self.account(found(of)?)?.identities.insert(identity);
            }
            Link::SignUp { verified } => {
                let mut account = Account { verified, ..Account::default() };
                account.sign_in(identity);
                *self.at(identity.email) = Some(account);
            }
            Link::LinkByEmail(of) => self.account(found(of)?)?.sign_in(identity),
            Link::Reclaim(of) => {
                let account = self.account(found(of)?)?;
                let codes = account.codes.clone();
                *account = Account { verified: true, undo: account.undo, ..Account::default() };
                if rules.codes_outlive_reclaim {
                    account.codes = codes;
                }
                account.sign_in(identity);
            }
        }
        Some(())
    }

    /// Moves an account to the other address, whose mailbox's owner claims it.
    fn change(&mut self, from: Email, rules: Rules) -> Option<&mut Account> {
        let to = from.other();
        if self.at(to).is_some() {
            return None;
        }
        let mut account = self.at(from).take()?;
        let identities = account.identities.clone();
        account.claim(to);
        if rules.identities_outlive_change {
            account.identities = identities;
        }
        Some(self.at(to).insert(account))
    }

    /// Returns the state after a step, or `None` if the step is refused.
    fn after(&self, step: Step, rules: Rules) -> Option<Self> {
        let mut next = self.clone();
        match step {
            Step::Register(person, email) => {
                let free = next.at(email).is_none() && !next.is_reserved(email);
                let sessions = BTreeSet::from([person]);
                let account = Account { password: Some(person), sessions, ..Account::default() };
                *free.then(|| next.at(email))? = Some(account);
            }
            Step::LogIn(person, email) => {
                let account = next.account(email).filter(|of| of.password == Some(person) && of.admits(person))?;
                account.sessions.insert(person);
            }
            Step::SignIn(identity) => next.decide(identity, None, rules)?,
            Step::Redeem(person, email) => {
                let account = next.account(email).filter(|of| of.codes.contains(&person))?;
                account.codes.remove(&person);
                account.admits(person).then(|| account.sessions.insert(person))?;
            }
            Step::Link(identity, email) => {
                next.account(email).filter(|of| of.sessions.contains(&identity.holder))?;
                next.decide(identity, Some(email), rules)?;
            }
            Step::AddFactor(person, email) => {
                let account = next.account(email).filter(|of| of.sessions.contains(&person) && of.factor.is_none())?;
                account.factor = Some(person);
            }
            Step::Verify(email) => next.account(email).filter(|of| !of.verified)?.claim(email),
            Step::Reset(email) => {
                let account = next.account(email)?;
                if !account.verified {
                    account.wipe(email);
                }
                (account.verified, account.proved, account.password) = (true, Some(email), Some(email));
                (account.sessions, account.codes, account.change) = (BTreeSet::new(), BTreeSet::new(), None);
            }
            Step::AskForChange(person, email) => {
                next.account(email).filter(|of| of.sessions.contains(&person))?.change = Some(person);
            }
            Step::Change(email) => {
                let verified = next.account(email).filter(|of| of.change.is_some())?.verified;
                next.change(email, rules)?.undo = verified;
            }
            Step::Undo(email) => {
                let account = next.account(email).filter(|of| of.undo)?;
                account.wipe(email.other());
                next.change(email, rules)?.undo = false;
            }
        }
        Some(next)
    }
}

fn id(email: Email) -> UserId {
    UserId::new(if email == Owner { 1 } else { 2 })
}

fn address(email: Email) -> EmailAddress {
    let spelled = if email == Owner { "owner@example.org" } else { "attacker@example.com" };
    EmailAddress::from_stored(spelled.to_owned())
}

fn profile(identity: Identity) -> ProviderProfile {
    ProviderProfile {
        key: IdentityKey::new("https://id.example", "1").unwrap(),
        email: Some(address(identity.email)),
        email_trusted: identity.trusted,
        domain: None,
        multi_factor: false,
    }
}

fn steps() -> Vec<Step> {
    let of_mailbox = [Step::Verify, Step::Reset, Step::Change, Step::Undo];
    let of_person = [Step::Register, Step::LogIn, Step::Redeem, Step::AddFactor, Step::AskForChange];
    let mut steps = Vec::from(IDENTITIES.map(Step::SignIn));
    for email in PEOPLE {
        steps.extend(of_mailbox.map(|step| step(email)));
        steps.extend(IDENTITIES.map(|identity| Step::Link(identity, email)));
        steps.extend(PEOPLE.into_iter().flat_map(|person| of_person.map(|step| step(person, email))));
    }
    steps
}

/// Explores all reachable states. Returns their number, or the shortest steps to a violation.
fn explore(rules: Rules) -> Result<usize, String> {
    let (steps, mut known) = (steps(), HashSet::from([State::default()]));
    let mut frontier = vec![(State::default(), Vec::new())];
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (state, trail) in frontier {
            for step in &steps {
                let Some(after) = state.after(*step, rules).filter(|after| known.insert(after.clone())) else {
                    continue;
                };
                let trail: Vec<_> = trail.iter().copied().chain([*step]).collect();
                if let Some(what) = [&after.owner, &after.attacker].into_iter().flatten().find_map(Account::violation) {
                    return Err(format!("{what} of the stranger after {trail:?}"));
                }
                next.push((after, trail));
            }
        }
        frontier = next;
    }
    Ok(known.len())
}

#[test]
fn stranger_never_gets_into_an_account_whose_email_was_proved() {
    let states = explore(RULES).unwrap_or_else(|violation| panic!("{violation}"));
    assert!(states > 10_000, "{states} states");
}

#[test]
fn each_fault_of_the_rules_is_found() {
    let linked: Decide = |profile, facts| match LinkingPolicy::default().decide(profile, facts) {
        Ok(Link::Reclaim(id)) => Ok(Link::LinkByEmail(id)),
        other => other,
    };
    let believed: Decide = |profile, facts| {
        let trusted = ProviderProfile { email_trusted: true, ..profile.clone() };
        LinkingPolicy::default().decide(&trusted, facts)
    };
    for (fault, rules, found) in [
        ("row 5 in place of row 6", Rules { decide: linked, ..RULES }, "code"),
        ("an untrusted email is believed", Rules { decide: believed, ..RULES }, "code"),
        ("codes outlive the reclaim", Rules { codes_outlive_reclaim: true, ..RULES }, "code"),
        ("identities outlive the change of email", Rules { identities_outlive_change: true, ..RULES }, "identity"),
    ] {
        let violation = explore(rules).expect_err(fault);
        assert!(violation.starts_with(found), "{fault}: {violation}");
    }
}
