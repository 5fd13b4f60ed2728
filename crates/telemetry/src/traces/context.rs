//! Trace and span ids, and the `traceparent` header (W3C Trace Context).

use std::fmt;

/// Id of a trace: 16 bytes, not all zero, displayed as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub(crate) [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Id of a span: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanId(pub(crate) [u8; 8]);

/// Position in a trace: that of a caller, or that of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) sampled: bool,
}

/// Length of a version 00 header, in bytes.
const LENGTH: usize = 55;

impl TraceContext {
    /// Parses a `traceparent` header (W3C Trace Context §3.2). Returns `None` if it is not exactly
    /// valid; a new trace begins then. Reads the version 00 parts of later versions (§3.2.2).
    ///
    /// ```
    /// use portcullis_telemetry::TraceContext;
    /// let caller = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    /// let trace = caller.map(|caller| (caller.trace_id().to_string(), caller.is_sampled()));
    /// assert_eq!(trace, Some(("0af7651916cd43dd8448eb211c80319c".to_owned(), true)));
    /// assert_eq!(TraceContext::parse("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"), None);
    /// ```
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (head, rest) = header.split_at_checked(LENGTH)?;
        let mut parts = head.split('-');
        let [version] = lower_hex(parts.next()?)?;
        let (trace, span) = (lower_hex(parts.next()?)?, lower_hex(parts.next()?)?);
        let [flags] = lower_hex(parts.next()?)?;
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let known = parts.next().is_none() && fits && trace != [0; 16] && span != [0; 8];
        known.then_some(Self { trace: TraceId(trace), span: SpanId(span), sampled: flags & 1 == 1 })
    }

    /// Returns the id of the trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// Returns whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// Parses exactly `N` bytes in lower-case hex digits.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_to_the_letter_or_not_at_all() {
        assert!(TraceContext::parse(GOOD).unwrap().sampled);
        for (flags, sampled) in [("00", false), ("02", false), ("03", true), ("ff", true)] {
            let header = GOOD.replace("-01", &format!("-{flags}"));
            assert_eq!(TraceContext::parse(&header).map(|context| context.sampled), Some(sampled), "{header}");
        }
        for bad in [
            "",
            "00",
            &GOOD[1..],
            &format!("{GOOD}-"),
            &format!("{GOOD} "),
            &format!(" {GOOD}"),
            &format!("{GOOD}-what-the-future-brings"),
            &GOOD.to_uppercase(),
            &GOOD.replace('-', "_"),
            &GOOD.replace("00-", "ff-"),
            &GOOD.replace("00-", "0x-"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace("b7ad6b7169203331", "b7ad6b716920333-"),
            &GOOD.replace("b7ad6b7169203331", "b7ad6b716920333g"),
            &GOOD.replace("-01", "-0"),
            &GOOD.replace("-01", "-+1"),
            &GOOD.replace("c-b", "-cb"),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_a_version_to_come_what_is_known_is_read() {
        let later = GOOD.replace("00-", "cc-");
        for good in [later.clone(), format!("{later}-"), format!("{later}-what-the-future-brings")] {
            assert_eq!(TraceContext::parse(&good), TraceContext::parse(GOOD), "{good}");
        }
        assert_eq!(TraceContext::parse(&format!("{later}.what")), None);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_what_was_written(text in any::<String>(), nearly in "[0-9a-fg-]{50,60}") {
            for text in [text, nearly] {
                if let Some(context) = TraceContext::parse(&text) {
                    prop_assert!(text.contains(&context.trace_id().to_string()));
                }
            }
        }

        #[test]
        fn every_header_of_the_form_is_read(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), flags: u8) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let span = hex::encode(span);
            let context = TraceContext::parse(&format!("00-{}-{span}-{flags:02x}", TraceId(trace))).unwrap();
            prop_assert_eq!((context.trace.0, context.sampled), (trace, flags % 2 == 1));
        }
    }
}
