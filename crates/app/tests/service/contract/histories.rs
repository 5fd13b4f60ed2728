//! Histories of one session with several concurrent clients against the real service, checked afterwards.
//! They confirm on real databases what `usecases/tests/model` proves for a modeled one. A seed decides which
//! client does what, but not the timing.

use crate::prelude::*;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

on_both_databases!(histories_of_a_session_hold_what_the_model_holds);

const HISTORIES: u64 = 40;

fn histories_of_a_session_hold_what_the_model_holds(service: &Service) {
    (0..HISTORIES).for_each(|seed| History::new(seed, vec![service]).play());
}

#[test]
fn session_histories_on_two_replicas_match_the_model() {
    let database = Backend::Postgres.database();
    let replicas = [(); 2].map(|()| ServiceBuilder::over(&database).start());
    (0..HISTORIES).for_each(|seed| History::new(seed, replicas.iter().collect()).play());
}

/// Refresh that got a response.
struct Shown {
    began: u64,
    by_thief: bool,
    token: String,
    /// Token pair it returned, if it was not refused.
    given: Option<Pair>,
}

struct History<'a> {
    seed: u64,
    services: Vec<&'a Service>,
    first: Pair,
    /// Pair shared by the owner's processes.
    jar: Mutex<Pair>,
    clock: AtomicU64,
    shown: Mutex<Vec<Shown>>,
    /// Time of the first confirmed end of the session.
    ended: AtomicU64,
    has_thief: bool,
    has_end: bool,
}

/// `SplitMix64`.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

fn jti_of(token: &str) -> String {
    jose::claims(token)["jti"].as_str().unwrap().to_owned()
}

impl<'a> History<'a> {
    fn new(seed: u64, services: Vec<&'a Service>) -> Self {
        let (_, first) = services[0].session();
        Self {
            seed,
            services,
            jar: Mutex::new(first.clone()),
            first,
            clock: AtomicU64::new(0),
            shown: Mutex::default(),
            ended: AtomicU64::new(u64::MAX),
            has_thief: seed.is_multiple_of(2),
            has_end: seed % 3 == 2,
        }
    }

    fn play(self) {
        thread::scope(|scope| {
            for client in 0..3 {
                let history = &self;
                scope.spawn(move || history.act(client));
            }
        });
        self.check();
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn act(&self, client: u64) {
        let mut state = self.seed * 31 + client;
        let mut stolen = self.first.clone();
        for turn in 0..6 {
            let service = self.services[dice(&mut state) as usize % self.services.len()];
            match (client, dice(&mut state) % 4) {
                (2, 0) if self.has_end && turn > 1 => self.end(service, dice(&mut state)),
                (2, _) if self.has_thief => stolen = self.steal(service, stolen),
                (_, chance) => self.refresh(service, chance == 1),
            }
        }
    }

    fn end(&self, service: &Service, kind: u64) {
        let pair = self.jar.lock().unwrap().clone();
        let status = match kind % 3 {
            0 => service.logout(&pair.refresh).status,
            1 => service.call("POST", "/auth/logout-all").bearer(&pair.access).send().status,
            _ => service.call("DELETE", &format!("/auth/sessions/{}", pair.sid())).bearer(&pair.access).send().status,
        };
        if status < 300 {
            self.ended.fetch_min(self.tick(), Ordering::SeqCst);
        }
    }

    fn show(&self, service: &Service, token: &str, key: Option<&str>) -> Option<Pair> {
        let began = self.tick();
        let reply = key.map_or_else(|| service.refresh(token), |key| service.refresh_with(token, key));
        assert!(matches!(reply.status, 200 | 401), "seed {}: {}", self.seed, reply.text());
        let given = (reply.status == 200).then(|| Pair::of(&reply));
        let (by_thief, token) = (key.is_none(), token.to_owned());
        self.shown.lock().unwrap().push(Shown { began, by_thief, token, given: given.clone() });
        given
    }

    /// Refreshes as a process of the owner: the newest token, with its own key. A lost response changes
    /// nothing.
    fn refresh(&self, service: &Service, lost: bool) {
        let pair = self.jar.lock().unwrap().clone();
        let given = self.show(service, &pair.refresh, Some(&jti_of(&pair.refresh)));
        let mut jar = self.jar.lock().unwrap();
        if let (Some(given), false) = (given, lost || jar.refresh != pair.refresh) {
            *jar = given;
        }
    }

    fn steal(&self, service: &Service, stolen: Pair) -> Pair {
        self.show(service, &stolen.refresh, None).unwrap_or(stolen)
    }

    fn check(&self) {
        let (seed, service, shown) = (self.seed, self.services[0], self.shown.lock().unwrap());
        let given = |by_thief: bool| -> BTreeSet<String> {
            let given = shown.iter().filter(|shown| shown.by_thief == by_thief);
            given.filter_map(|shown| shown.given.as_ref().map(|pair| pair.jti())).collect()
        };
        assert!(given(true).is_disjoint(&given(false)), "seed {seed}: thief and owner were given one token");
        let pairs = shown.iter().filter_map(|shown| Some((jti_of(&shown.token), shown.given.as_ref()?.jti())));
        let pairs: BTreeSet<_> = pairs.collect();
        let ends = |end: fn(&(String, String)) -> &String| pairs.iter().map(end).collect::<BTreeSet<_>>().len();
        assert_eq!((ends(|pair| &pair.0), ends(|pair| &pair.1)), (pairs.len(), pairs.len()), "seed {seed}: a fork");
        let ended = self.ended.load(Ordering::SeqCst);
        let late = shown.iter().find(|shown| shown.began > ended && shown.given.is_some());
        assert!(late.is_none(), "seed {seed}: an ended session refreshed");
        let of_session = format!(
            "FROM refresh_tokens WHERE session_id = (SELECT id FROM sessions WHERE sid = '{}')",
            self.first.sid()
        );
        let live = service.database.count(&format!("{of_session} AND NOT revoked"));
        assert!(live <= 1, "seed {seed}: {live} live tokens");
        let rows = service.database.count(&of_session);
        let successors =
            service.database.texts("successor_jti", &format!("{of_session} AND successor_jti IS NOT NULL"));
        assert_eq!(successors.iter().collect::<BTreeSet<_>>().len() as i64, rows - 1, "seed {seed}: a fork");
        drop(shown);
        self.ends_as_it_must(service, ended != u64::MAX);
    }

    /// Without a thief, the owner stays logged in. With one, the loser of the race presents its token after
    /// the grace period, which ends the session for both.
    fn ends_as_it_must(&self, service: &Service, ended: bool) {
        let (seed, jar) = (self.seed, self.jar.lock().unwrap().clone());
        let refresh = |pair: &Pair| service.refresh_with(&pair.refresh, &jti_of(&pair.refresh)).status;
        if !self.has_thief {
            assert_eq!(refresh(&jar), if ended { 401 } else { 200 }, "seed {seed}: the owner");
            return;
        }
        service.spent_earlier(&self.first, 11);
        service.refresh(&self.first.refresh).revoked();
        let shown = self.shown.lock().unwrap();
        let pairs = shown.iter().filter_map(|shown| shown.given.as_ref());
        for pair in pairs.chain([&jar]) {
            assert_eq!(refresh(pair), 401, "seed {seed}: a token outlived the theft");
        }
    }
}
