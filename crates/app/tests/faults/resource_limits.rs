//! F35: few file descriptors, and refused memory and threads.

use crate::harness::shim::Shim;
use crate::prelude::*;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

on_both_databases!(
    few_descriptors_are_enough,
    refused_memory_loses_nothing_acknowledged,
    a_start_that_is_refused_a_thread_ends_or_does_without,
);

/// Idle connections beyond the limit wait to be accepted, and nothing else is affected.
fn few_descriptors_are_enough(backend: Backend) {
    let service = backend.service().limited("-n 64").start();
    let (account, pair) = service.session();
    let mut histories = work(&[&service], |progress| progress.acknowledge(100));
    assert!(histories.iter().all(|history| history.cut.is_none()), "refused");
    for _ in 0..3 {
        let crowd: Vec<_> = (0..200).filter_map(|_| Connection::try_open(&service).ok()).collect();
        assert!(crowd.len() > 100, "they wait in the queue of the listener: {}", crowd.len());
        drop(crowd);
        service.expect_healed();
    }
    histories.extend(work(&[&service], |progress| progress.acknowledge(100)));
    within_deadline(|| service.login(&account.email, &account.password)).expect(200);
    service.refresh(&pair.refresh).expect(200);
    check(&histories, &service);
    service.stop();
}

#[test]
fn too_few_descriptors_to_start_are_told() {
    for limit in ["-n 8", "-n 63"] {
        let ended = Backend::Sqlite.service().limited(limit).run();
        assert!(ended.refusal().contains("descriptors"), "{ended:?}");
    }
}

/// Limits the process to its current memory.
fn refuse_memory(service: &Service) {
    let status = service.told("status");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let bytes = size.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10;
    let limit = Rlimit { current: Some(bytes), maximum: None };
    prlimit(Pid::from_raw(service.process_id()), Resource::As, limit).unwrap();
}

/// It continues with the memory it has, or it dies like after a kill.
fn refused_memory_loses_nothing_acknowledged(backend: Backend) {
    let service = backend.service().start();
    let histories = work(&[&service], |progress| {
        progress.acknowledge(20);
        refuse_memory(&service);
        let crowd: Vec<_> = (0..2000).filter_map(|_| Connection::try_open(&service).ok()).collect();
        progress.acknowledge_or_end(20);
        drop(crowd);
        service.kill();
    });
    check(&histories, &service.again().start());
}

/// Either it does not listen, or it answers. A shutdown needs no further thread.
fn a_start_that_is_refused_a_thread_ends_or_does_without(backend: Backend) {
    let database = backend.database();
    for spared in 0.. {
        let shim = Shim::new();
        shim.fail_thread_after(spared);
        let setup = ServiceBuilder::over(&database).set("METRICS_ADDR", "127.0.0.1:0");
        match shim.under(setup).try_start() {
            Err(ended) => {
                let told = ended.refusal();
                assert!(told.contains("no thread") || told.contains("unavailable"), "{told}");
            }
            Ok(service) => {
                let refused = shim.threads_to_fail() == 0;
                shim.fail_threads(1_000_000);
                assert_eq!(within_deadline(|| service.get("/health")).status, 200);
                let page = agent(0).get(format!("{}/metrics", service.metrics_url()));
                assert_eq!(page.call().unwrap().status(), 200);
                service.stop();
                if !refused {
                    return assert!(spared >= 10, "{spared} threads are enough");
                }
            }
        }
    }
}
