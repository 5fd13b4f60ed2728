//! Selection of the traces that are recorded (OpenTelemetry's built-in samplers).

use super::context::{TraceContext, TraceId};

/// Decides whether a trace is recorded when its first local span begins.
///
/// ```
/// use portcullis_telemetry::{Sampler, TraceContext};
/// if let Some(caller) = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00") {
///     let (all, none) = (Sampler::new(1.0), Sampler::new(0.0));
///     assert!(all.samples(caller.trace_id(), None) && !none.samples(caller.trace_id(), None));
///     assert!(!all.samples(caller.trace_id(), Some(&caller)), "the caller has decided");
///     assert!(all.regardless_of_callers().samples(caller.trace_id(), Some(&caller)));
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    ratio: f64,
    follows_callers: bool,
}

impl Sampler {
    /// Creates a sampler for a ratio, from 0 to 1, of the traces that begin here. For traces that began
    /// elsewhere it follows the caller's decision.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self { ratio, follows_callers: true }
    }

    /// Applies the ratio to traces that began elsewhere too.
    #[must_use]
    pub fn regardless_of_callers(self) -> Self {
        Self { follows_callers: false, ..self }
    }

    /// Returns whether the trace is recorded. Services with the same ratio that use OpenTelemetry's
    /// consistent sampling keep the same traces.
    #[must_use]
    pub fn samples(&self, trace: TraceId, caller: Option<&TraceContext>) -> bool {
        if let Some(caller) = caller
            && self.follows_callers
        {
            return caller.sampled;
        }
        let [.., a, b, c, d, _, _, _] = trace.0;
        f64::from(u32::from_be_bytes([a, b, c, d])) >= (1.0 - self.ratio) * RANDOM_VALUES
    }
}

/// Number of possible values of 32 bits. The sampler uses the upper 32 of the 56 random bits of a trace
/// id.
const RANDOM_VALUES: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_keeps_its_part_and_the_same_for_all() {
        let id = |n: u32| {
            TraceId([&[7; 9], &n.wrapping_mul(2_654_435_769).to_be_bytes()[..], &[0; 3]].concat().try_into().unwrap())
        };
        for (ratio, few, many) in [(0.0, 0, 0), (0.1, 900, 1100), (0.5, 4900, 5100), (1.0, 10_000, 10_000)] {
            let kept = (0..10_000).filter(|n| Sampler::new(ratio).samples(id(*n), None)).count();
            assert!((few..=many).contains(&kept), "{ratio}: {kept}");
        }
        let (half, tenth) = (Sampler::new(0.5), Sampler::new(0.1));
        assert!((0..10_000).all(|n| !tenth.samples(id(n), None) || half.samples(id(n), None)));
    }
}
