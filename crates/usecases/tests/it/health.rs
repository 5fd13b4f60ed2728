//! Readiness.

use crate::world::World;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_ports::{CircuitMonitor, CircuitStatus, Clock, OutboxLoad, StoreError, StoreExt, Tx};
use portcullis_usecases::health::{CheckReadiness, MailCheck};
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
    CheckReadiness { store, circuits: vec![Arc::new(Open)], shared, mail: None, limits, clock }
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

#[test]
fn mails_that_were_given_up_and_a_mail_server_that_is_away_degrade_and_no_more() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let report = verb(&world, None).run();
    let load = |waiting, dead| OutboxLoad { waiting, dead };
    assert_eq!(report.mail, Some(MailCheck { status: Readiness::Ok, load: load(1, 0) }));
    let away = CheckReadiness { mail: Some(Arc::new(Open)), ..verb(&world, None) }.run();
    assert_eq!((away.status, away.mail.map(|mail| mail.status)), (Readiness::Degraded, Some(Readiness::Degraded)));
    let now = world.clock.now();
    let bury = |tx: &mut dyn Tx| {
        let taken = tx.outbox().take(now, now)?.unwrap();
        tx.outbox().bury(taken.id, taken.tries, now, "550")
    };
    assert!(world.store.write(bury).unwrap());
    let report = verb(&world, None).run();
    assert_eq!((report.status, report.mail.map(|mail| mail.load)), (Readiness::Degraded, Some(load(0, 1))));
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    assert_eq!(verb(&world, None).run().mail, None, "nobody knows");
}
