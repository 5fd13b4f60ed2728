//! Names the server in errors of connections, if the URL has several hosts: the client library does so only
//! while it connects.

use crate::engine::Engine;
use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use portcullis_ports::{StoreError, TxMode};
use std::cell::RefCell;

/// Address at which the server accepted the connection; `NULL` on a unix socket.
const NODE: &str = "SELECT host(inet_server_addr()) AS host, inet_server_port()::text AS port";

thread_local! {
    /// Server of the last failed statement on this thread. Per thread for the same reason as a timeout that was
    /// hit: diesel's connection has no place for it.
    static FAILED: RefCell<Option<String>> = const { RefCell::new(None) };
}

#[derive(QueryableByName)]
struct Address {
    #[diesel(sql_type = Nullable<Text>)]
    host: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    port: Option<String>,
}

/// Returns the address of a connection's server.
pub(super) fn of(connection: &mut PgConnection) -> Result<String, StoreError> {
    let address = diesel::sql_query(NODE).get_result::<Address>(connection);
    let address = address.map_err(|error| PgConnection::classify(&error, TxMode::Read))?;
    Ok(match (address.host, address.port) {
        (Some(host), Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => "a unix socket".to_owned(),
    })
}

/// Remembers the server of each failed statement.
pub(super) fn watch(node: String, mut inner: Option<Box<dyn Instrumentation>>) -> impl Instrumentation {
    move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::FinishQuery { error: Some(_), .. } = &event {
            FAILED.replace(Some(node.clone()));
        }
        if let Some(inner) = &mut inner {
            inner.on_connection_event(event);
        }
    }
}

/// Forgets the server of earlier statements.
pub(super) fn forget() {
    FAILED.take();
}

/// Adds the server of the last failed statement to an outage.
pub(super) fn name(error: StoreError) -> StoreError {
    let named = |reason: String| match FAILED.take() {
        Some(node) => format!("{reason} (server {node})"),
        None => reason,
    };
    match error {
        StoreError::Unavailable(reason) => StoreError::Unavailable(named(reason)),
        StoreError::Unwritable(reason) => StoreError::Unwritable(named(reason)),
        other => other,
    }
}
