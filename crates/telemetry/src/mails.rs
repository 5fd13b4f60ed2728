//! Metrics of the delivery of emails.

use crate::{MetricsError, MetricsRegistry};
use portcullis_domain::mail::Occasion;
use portcullis_ports::{MailEvent, MailObserver};
use prometheus::{IntCounter, IntCounterVec};

/// Counts the steps of emails. The labels are from fixed lists.
///
/// ```
/// use portcullis_domain::mail::Occasion;
/// use portcullis_ports::{MailEvent, MailObserver};
/// use portcullis_telemetry::{MailMetrics, MetricsRegistry};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// MailMetrics::register(&telemetry)?.on_mail(Occasion::NewDevice, MailEvent::Sent);
/// assert!(telemetry.render().contains(r#"portcullis_mails_total{event="sent",occasion="new_device"} 1"#));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MailMetrics(IntCounterVec);

impl MailMetrics {
    /// Registers the metrics, with 0 for each event of each occasion. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "Emails by occasion: first attempts, and what became of them.";
        let counters = telemetry.counters("mails_total", help, &["occasion", "event"])?;
        let events = [MailEvent::Started, MailEvent::Sent, MailEvent::Postponed, MailEvent::Dropped, MailEvent::Dead];
        for occasion in Occasion::ALL {
            for event in events {
                counters.get_metric_with_label_values(&[occasion.as_str(), name(event)])?;
            }
        }
        Ok(Self(counters))
    }
}

impl MailObserver for MailMetrics {
    fn on_mail(&self, occasion: Occasion, event: MailEvent) {
        let counter = self.0.get_metric_with_label_values(&[occasion.as_str(), name(event)]);
        counter.iter().for_each(IntCounter::inc);
    }
}

const fn name(event: MailEvent) -> &'static str {
    match event {
        MailEvent::Started => "started",
        MailEvent::Sent => "sent",
        MailEvent::Postponed => "postponed",
        MailEvent::Dropped => "dropped",
        MailEvent::Dead => "dead",
    }
}
