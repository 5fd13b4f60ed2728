//! Creates accounts and sessions over HTTP before a measurement. The settings of the server determine
//! the cost of the hashes.

use super::connection::Connection;
use super::flows::{Flow, Login, Post, Session, credentials};
use anyhow::{Result, anyhow};
use std::net::SocketAddr;
use std::thread;

/// Sessions per account.
const SESSIONS_OF_ONE: usize = 50;
/// Connections that create accounts and sessions.
const MAKERS: usize = 8;

/// Returns the email of the n-th account.
pub(crate) fn email(number: usize) -> String {
    format!("user{number}@example.com")
}

/// Registers `count` accounts.
pub(crate) fn register(address: SocketAddr, count: usize) -> Result<()> {
    spread(count, |numbers| {
        let mut connection = Connection::open(address)?;
        for number in numbers {
            connection.exchange(&mut Post::new("/auth/register", &credentials(&email(number)), 201))?;
        }
        Ok(Vec::<()>::new())
    })
    .map(drop)
}

/// Creates accounts and logs them in until there are `count` sessions.
pub(crate) fn sessions(address: SocketAddr, count: usize) -> Result<Vec<Session>> {
    register(address, count.div_ceil(SESSIONS_OF_ONE))?;
    spread(count, |numbers| {
        let mut connection = Connection::open(address)?;
        numbers.map(|number| log_in(&mut connection, &email(number / SESSIONS_OF_ONE))).collect()
    })
}

/// Logs in and returns the session.
pub(crate) fn log_in(connection: &mut Connection, email: &str) -> Result<Session> {
    let mut login = Login::new(email);
    let answer = connection.call(&mut login)?;
    login.answer(answer.status, connection.body(&answer))?;
    Session::read(connection.body(&answer))
}

/// Splits the numbers below `count` among threads.
pub(super) fn spread<T: Send>(
    count: usize,
    work: impl Fn(std::ops::Range<usize>) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let share = count.div_ceil(MAKERS).max(1);
    thread::scope(|scope| {
        let starts = (0..count).step_by(share);
        let work = &work;
        let threads: Vec<_> =
            starts.map(|start| scope.spawn(move || work(start..(start + share).min(count)))).collect();
        let mut all = Vec::with_capacity(count);
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(all)
    })
}
