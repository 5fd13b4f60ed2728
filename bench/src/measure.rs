//! Turns samples into figures: rates, CPU time per operation, percentiles, medians over rounds.
//! Measures contenders alternately. The workloads define what is measured.

use super::client::load::Sample;
use anyhow::{Error, Result, ensure};
use serde::Serialize;
use std::time::Duration;

/// Figures of one contender. Times in milliseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Operations per second.
    #[serde(rename = "a_second")]
    pub(super) rate: Option<f64>,
    /// CPU time per operation, of the server and its database.
    #[serde(rename = "cpu_ms")]
    pub(super) cpu: Option<f64>,
    /// CPU time of the client per operation.
    #[serde(rename = "client_cpu_ms")]
    pub(super) client_cpu: Option<f64>,
    #[serde(rename = "p50_ms")]
    pub(super) p50: Option<f64>,
    #[serde(rename = "p99_ms")]
    pub(super) p99: Option<f64>,
    /// Operations refused with 503.
    pub(super) shed: Option<f64>,
}

impl Figures {
    /// Computes the figures of a closed loop.
    pub(super) fn of(sample: &Sample) -> Result<Self> {
        ensure!(!sample.latencies.is_empty(), "no response in {:.1} s", sample.elapsed.as_secs_f64());
        let mut figures = Self::of_times(&sample.latencies, sample.shed);
        let count = number(sample.latencies.len());
        figures.rate = Some(count / sample.elapsed.as_secs_f64());
        figures.cpu = Some(milliseconds(sample.cpu) / count);
        figures.client_cpu = Some(milliseconds(sample.client_cpu) / count);
        Ok(figures)
    }

    /// Computes only latencies and refusals, for load at a fixed pace.
    pub(super) fn of_times(times: &[Duration], shed: u64) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        Self {
            p50: percentile(&times, 50.0).map(milliseconds),
            p99: percentile(&times, 99.0).map(milliseconds),
            shed: Some(number(usize::try_from(shed).unwrap_or(usize::MAX))),
            ..Self::default()
        }
    }

    /// Returns the figures of operations that are several requests each. Percentiles are those of a request.
    pub(super) fn of_several(self, requests: f64) -> Self {
        let times = |figure: Option<f64>| figure.map(|figure| figure * requests);
        let rate = self.rate.map(|rate| rate / requests);
        Self { rate, cpu: times(self.cpu), client_cpu: times(self.client_cpu), ..self }
    }

    /// Returns the median of each figure.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> Option<f64>| median(&rounds.iter().filter_map(figure).collect::<Vec<_>>());
        Self {
            rate: of(|f| f.rate),
            cpu: of(|f| f.cpu),
            client_cpu: of(|f| f.client_cpu),
            p50: of(|f| f.p50),
            p99: of(|f| f.p99),
            shed: of(|f| f.shed),
        }
    }
}

/// Converts a count to a float; infinite above `u32::MAX`.
pub(super) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Converts a duration to milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the smallest time that at least `percent` % of the sorted times do not exceed. `None` if
/// there are no times.
pub(super) fn percentile(sorted: &[Duration], percent: f64) -> Option<Duration> {
    let wanted = number(sorted.len()) * percent / 100.0;
    let enough = |(rank, _): &(usize, &Duration)| number(rank + 1) >= wanted;
    sorted.iter().enumerate().find(enough).map(|(_, time)| *time)
}

/// Returns the middle value, or the mean of the two middle values. `None` if there are no values.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// A name, and a function that measures once.
pub(super) struct Contender<'a> {
    pub(super) name: String,
    pub(super) measure: Box<dyn FnMut() -> Result<Figures> + 'a>,
}

impl<'a> Contender<'a> {
    pub(super) fn new(name: impl Into<String>, measure: impl FnMut() -> Result<Figures> + 'a) -> Self {
        Self { name: name.into(), measure: Box::new(measure) }
    }
}

/// Measures the contenders alternately, so that disturbances of the machine affect all of them. Returns
/// the medians of the rounds. A contender that fails is not measured again; the others continue.
pub(super) fn in_turns(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<(String, Result<Figures>)> {
    let mut measured: Vec<(Vec<Figures>, Option<Error>)> = contenders.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds.max(1) {
        for (contender, (rounds, failure)) in contenders.iter_mut().zip(&mut measured) {
            if failure.is_none() {
                match (contender.measure)() {
                    Ok(figures) => rounds.push(figures),
                    Err(error) => *failure = Some(error),
                }
            }
        }
    }
    let outcomes = contenders.iter().zip(measured).map(|(contender, (rounds, failure))| {
        (contender.name.clone(), failure.map_or_else(|| Ok(Figures::median(&rounds)), Err))
    });
    outcomes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn times(count: u64) -> Vec<Duration> {
        (1..=count).map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let hundred = times(100);
        assert_eq!(percentile(&hundred, 50.0), Some(Duration::from_millis(50)));
        assert_eq!(percentile(&hundred, 99.0), Some(Duration::from_millis(99)));
        assert_eq!(percentile(&times(10), 99.0), Some(Duration::from_millis(10)));
        assert_eq!(percentile(&times(1), 50.0), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn a_median_needs_no_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_sample_gives_rate_and_cpu_of_one_operation() {
        let second = Duration::from_secs(1);
        let sample =
            Sample { elapsed: 2 * second, latencies: times(100), shed: 3, cpu: second / 5, ..Sample::default() };
        let figures = Figures::of(&sample).unwrap();
        assert_eq!((figures.rate, figures.cpu, figures.shed), (Some(50.0), Some(2.0), Some(3.0)));
        assert!(Figures::of(&Sample::default()).is_err());
    }

    #[test]
    fn contenders_take_turns_and_a_failure_stops_one_alone() {
        let order = std::cell::RefCell::new(String::new());
        let contender = |name: &'static str, values: [Option<f64>; 3]| {
            let (mut values, order) = (values.into_iter(), &order);
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                let rate = values.next().flatten().ok_or_else(|| anyhow!("broken"))?;
                Ok(Figures { rate: Some(rate), ..Figures::default() })
            })
        };
        let mut all = [contender("a", [Some(5.0), Some(1.0), Some(2.0)]), contender("b", [Some(7.0), None, None])];
        let outcomes = in_turns(3, &mut all);
        assert_eq!(*order.borrow(), "ababa");
        assert_eq!(outcomes[0].1.as_ref().unwrap().rate, Some(2.0));
        assert!(outcomes[1].1.is_err());
    }
}
