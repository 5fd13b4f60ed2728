//! Security requirements F1 and F2: kill -9 in a loop, under load, loses nothing that was
//! acknowledged. `PORTCULLIS_TEST_LONG=1` makes it 50 kills on each database.

use super::oracle::{Client, History};
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::{Service, Setup};
use crate::harness::waiting::Mortal;
use std::sync::Mutex;
use std::thread;

on_both_databases!(
    a_kill_under_load_loses_nothing_acknowledged,
    a_kill_during_the_first_start_is_mended_by_the_next,
    a_crash_of_the_database_too_loses_nothing_acknowledged,
);

fn kills() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the long form is for those who ask for it")]
    let long = std::env::var_os("PORTCULLIS_TEST_LONG").is_some();
    if long { 50 } else { 8 }
}

/// Lets clients work, kills when enough was answered, and tells what they know.
fn work_and_kill(service: &Service, answers: usize, kill: impl FnOnce()) -> Vec<History> {
    let histories = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..4 {
            let histories = &histories;
            scope.spawn(move || {
                let client = Client::new(service);
                loop {
                    let history = client.live(number);
                    let complete = history.is_complete();
                    histories.lock().unwrap().push(history);
                    if !complete {
                        break;
                    }
                }
            });
        }
        service.log.wait_for(answers, |event| event["message"] == "Request finished");
        kill();
    });
    histories.into_inner().unwrap()
}

fn check(histories: &[History], service: &Service) {
    for history in histories {
        if let Some(live) = history.live_tokens() {
            assert_eq!(history.stored_live_tokens(service), live, "{history:?}");
        }
    }
    for history in histories {
        history.check(service);
    }
}

fn a_kill_under_load_loses_nothing_acknowledged(backend: Backend) {
    let mut service = backend.service().start();
    let mut cut_off = 0;
    for round in 0..kills() {
        let histories = work_and_kill(&service, 10 + round * 13 % 60, || service.kill());
        cut_off += histories.iter().filter(|history| !history.is_complete()).count();
        service = service.again().start();
        check(&histories, &service);
    }
    assert!(cut_off >= kills(), "the kills met no work: {cut_off}");
}

fn a_kill_during_the_first_start_is_mended_by_the_next(backend: Backend) {
    for round in 0..kills() {
        let database = backend.database();
        let mut starting = Mortal::spawn(&mut Setup::over(&database).command());
        // No two rounds kill at the same point; which point does not matter.
        for _ in 0..round * 3 {
            std::hint::black_box(database.texts("1", ""));
        }
        starting.child().kill().unwrap();
        drop(starting);
        let service = Setup::over(&database).start();
        service.session();
        service.stop();
    }
}

fn a_crash_of_the_database_too_loses_nothing_acknowledged(backend: Backend) {
    use crate::harness::databases::Database;
    use portcullis_testkit::postgres::Server;
    let server: Option<&'static Server> = match backend {
        // The file is all there is: its crash is the service's.
        Backend::Sqlite => None,
        Backend::Postgres => Some(Box::leak(Box::new(Server::start()))),
    };
    let database = server.map_or_else(|| backend.database(), Database::on);
    for _ in 0..kills() / 4 {
        let service = Setup::over(&database).start();
        let histories = work_and_kill(&service, 30, || {
            if let Some(server) = server {
                server.crash();
            }
            service.kill();
        });
        if let Some(server) = server {
            server.start_again();
        }
        let service = Setup::over(&database).start();
        check(&histories, &service);
        service.kill();
    }
}
