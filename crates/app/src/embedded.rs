//! The service inside another program, which has its own listener, routes and log.

use crate::commands::{PurgeThread, drain_mail, migrate};
use crate::settings::Settings;
use crate::wire::{self, AppContext, CostSampling};
use anyhow::Context;
use portcullis_http::Mount;
use portcullis_worker::Worker;

/// The service without a listener. Its routes are mounted in an actix-web application with
/// [`Mount::scope`]; threads deliver emails and delete old rows as long as it exists.
///
/// Log lines go to the program's `tracing` subscriber. `HOST`, `PORT`, `LOG_*` and `OTEL_*` have no effect, and
/// signals are the program's.
pub struct Embedded {
    mount: Mount,
    mail: Worker,
    context: AppContext,
    _threads: (PurgeThread, CostSampling),
}

impl Embedded {
    /// Migrates the database and starts the service, within a tokio runtime. While PostgreSQL is not reachable,
    /// the service responds with 503 and a thread keeps trying, as in `portcullis serve`.
    ///
    /// # Errors
    /// If the database cannot be opened or migrated, an address is in use, or a thread cannot start.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let context = AppContext::open(settings)?;
        let migrated = migrate::prepare(settings, &context).await?;
        let costs = wire::stored_costs(settings);
        let sampling =
            CostSampling::start(&context, &costs, migrated.is_none()).context("cannot start the hash-cost thread")?;
        let (api, mail) = wire::service(settings, &context, &costs)?;
        context.metrics.serve(settings.metrics.metrics)?;
        let purging = PurgeThread::start(settings, &context).context("cannot start the purge thread")?;
        if let Some(outcome) = migrated {
            tokio::spawn(async move {
                if let Ok(Err(error)) = outcome.await {
                    tracing::error!(target: "app", %error, "The database cannot be migrated");
                }
            });
        }
        Ok(Self { mount: Mount::new(api), mail, context, _threads: (purging, sampling) })
    }

    /// Returns the routes, which are cheap to clone into the workers of a server.
    #[must_use]
    pub fn mount(&self) -> Mount {
        self.mount.clone()
    }

    /// Ends the background work, after the program's server has stopped. Waits for emails in delivery.
    pub async fn stop(self) {
        let Self { mount, mail, context, _threads: threads } = self;
        mount.announce_stop();
        drop(threads);
        drain_mail(mail).await;
        if let Err(error) = context.database.checkpoint_on_shutdown() {
            tracing::warn!(target: "app", %error, "The database file still needs its write-ahead log");
        }
    }
}
