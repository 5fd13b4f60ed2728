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

#[test]
fn the_report_follows_the_store() {
    let world = World::new();
    let verb =
        CheckReadiness { store: world.store.clone(), circuits: vec![Arc::new(Open)], clock: world.clock.clone() };
    assert_eq!(verb.run().status, Readiness::Ok);
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    let report = verb.run();
    assert_eq!((report.status, report.database.status), (Readiness::Unavailable, Readiness::Unavailable));
    assert_eq!(report.circuits[0].state, CircuitState::Open);
}
