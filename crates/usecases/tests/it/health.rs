//! Readiness.

use crate::world::World;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_ports::{CircuitMonitor, CircuitStatus, StoreError};
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
    CheckReadiness { store, circuits: vec![Arc::new(Open)], shared, limits, clock }
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
