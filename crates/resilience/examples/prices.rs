//! Circuit breaker without the rest of Portcullis: a price service that goes down and recovers.
//! `cargo run -p portcullis-resilience --no-default-features --example prices`.

use portcullis_resilience::{BreakerSettings, CallError, CircuitBreaker};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Debug, PartialEq)]
enum PriceError {
    Unreachable,
    UnknownArticle,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    // Simulated clock. A program would use the default one.
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let settings = BreakerSettings::default().with_failure_threshold(2).with_recovery_timeout(Duration::from_secs(10));
    let breaker = CircuitBreaker::builder(settings)
        .clock(move || Duration::from_secs(clock.load(Ordering::Relaxed)))
        .on_transition(|change| {
            writeln!(io::stdout(), "      circuit: {} -> {}", change.from.as_str(), change.to.as_str())
                .unwrap_or_default();
        })
        .build()
        .counting(|error: &PriceError| *error == PriceError::Unreachable);

    let day = [(0, "tea", true), (1, "salt", true), (2, "tea", false), (3, "tea", false), (4, "tea", true)];
    for (now, article, up) in day.into_iter().chain([(13, "tea", false), (14, "tea", true), (23, "tea", true)]) {
        seconds.store(now, Ordering::Relaxed);
        let answer = match breaker.call(|| price(article, up)) {
            Ok(cents) => format!("{cents} cents"),
            Err(CallError::Failed(error)) => format!("failed: {error:?}"),
            Err(CallError::Open(open)) => format!("not asked: {open}"),
        };
        writeln!(out, "{now:>2} s  {article}: {answer}")?;
    }
    writeln!(out, "{:?}", breaker.snapshot().totals)
}

fn price(article: &str, up: bool) -> Result<u32, PriceError> {
    match (up, article) {
        (false, _) => Err(PriceError::Unreachable),
        (true, "tea") => Ok(350),
        (true, _) => Err(PriceError::UnknownArticle),
    }
}
