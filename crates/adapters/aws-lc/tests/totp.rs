//! Codes published by the standards, both for the same secret. RFC 6238 prints eight digits; the last six are
//! the code.

use portcullis_aws_lc::HmacTotp;
use portcullis_domain::mfa::{TimeStep, TotpSecret};
use portcullis_ports::TotpGenerator;

fn code(step: TimeStep) -> String {
    HmacTotp.code(&TotpSecret::from_random(*b"12345678901234567890"), step).expose()
}

#[test]
fn codes_are_those_of_rfc_4226_appendix_d() {
    let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (step, expected) in (0..).zip(codes) {
        assert_eq!(code(TimeStep::new(step)), expected, "{step}");
    }
}

#[test]
fn codes_are_those_of_rfc_6238_appendix_b() {
    for (seconds, expected) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let moment = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        assert_eq!(code(TimeStep::at(moment.into())), expected[2..], "{seconds}");
    }
}
