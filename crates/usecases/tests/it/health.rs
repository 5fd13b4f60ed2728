//! Readiness.

use crate::world::World;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_ports::{CircuitMonitor, CircuitStatus, Clock, StoreError, StoreExt, Tx};
use portcullis_usecases::health::CheckReadiness;
use std::sync::Arc;
use std::time::Duration;

struct Open;

impl CircuitMonitor for Open {
    fn status(&self) -> CircuitStatus {
        CircuitStatus { name: "database", state: CircuitState::Open, retry_after: Duration::from_secs(3) }
    }
}

fn verb(world: &World, shared: Option<Arc<dyn CircuitMonitor>>) -> CheckReadiness {
    let (store, limits, clock) = (world.store.clone(), world.limits.clone(), world.clock.clone());
    CheckReadiness { store, circuits: vec![Arc::new(Open)], shared, mail: None, providers: None, limits, clock }
}

#[test]
fn the_report_follows_the_store() {
    let world = World::new();
    let verb = verb(&world, None);
    assert_eq!(verb.run().status, Readiness::Ok);
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    let report = verb.run();
    assert_eq!((report.status, report.database.status), (Readiness::Unavailable, Readiness::Unavailable));
    assert_eq!(report.circuits[0].state, CircuitState::Open);
}

#[test]
fn what_is_shared_and_lost_degrades_and_no_more() {
    let world = World::new();
    let report = verb(&world, Some(Arc::new(Open))).run();
    assert_eq!((report.status, report.database.status), (Readiness::Degraded, Readiness::Ok));
    assert_eq!(report.redis.unwrap().status, Readiness::Degraded);
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    assert_eq!(verb(&world, Some(Arc::new(Open))).run().status, Readiness::Unavailable);
}

/// The report is public: waiting, claimed or dead emails must not affect it.
#[test]
fn readiness_degrades_by_mail_server_outage_not_single_emails() {
    let world = World::new();
    let mail = |state| -> Arc<dyn CircuitMonitor> { Arc::new(MailCircuit(state)) };
    let run = |state| {
        let circuits = vec![mail(state)];
        let report = CheckReadiness { circuits, mail: Some(mail(state)), ..verb(&world, None) }.run();
        (report.status, report.mail, report.circuits[0].state)
    };
    let idle = run(CircuitState::Closed);
    assert_eq!(idle, (Readiness::Ok, Some(Readiness::Ok), CircuitState::Closed));
    world.register("ada@example.org", "correct horse").unwrap();
    assert_eq!(run(CircuitState::Closed), idle, "one waits");
    let now = world.clock.now();
    let bury = |tx: &mut dyn Tx| {
        let taken = tx.outbox().claim_next(now, now)?.unwrap();
        tx.outbox().mark_dead(taken.id, taken.tries, now, "550")
    };
    assert!(world.store.write(bury).unwrap());
    assert_eq!(run(CircuitState::Closed), idle, "one was given up");
    let away = run(CircuitState::Open);
    assert_eq!(away, (Readiness::Degraded, Some(Readiness::Degraded), CircuitState::Open));
    assert_eq!(run(CircuitState::HalfOpen), away, "one is tried");
    assert_eq!(verb(&world, None).run().mail, None);
}

#[test]
fn provider_outage_degrades_and_no_more() {
    let world = World::new();
    let run = |state| {
        let providers: Arc<dyn CircuitMonitor> = Arc::new(MailCircuit(state));
        let report = CheckReadiness { providers: Some(providers), ..verb(&world, None) }.run();
        (report.status, report.providers)
    };
    assert_eq!(run(CircuitState::Closed), (Readiness::Ok, Some(Readiness::Ok)));
    assert_eq!(run(CircuitState::Open), (Readiness::Degraded, Some(Readiness::Degraded)));
    assert_eq!(verb(&world, None).run().providers, None);
}

struct MailCircuit(CircuitState);

impl CircuitMonitor for MailCircuit {
    fn status(&self) -> CircuitStatus {
        CircuitStatus { name: "mail", state: self.0, retry_after: Duration::ZERO }
    }
}
