//! Invalid claims with a correct signature (RFC 8725 §3.8 to §3.11, RFC 7519 §4.1).

use super::*;

/// Returns [`CLAIMS`] with the value of one claim replaced.
fn with(name: &str, value: &str) -> String {
    let kept = CLAIMS.trim_matches(['{', '}']).split(',').filter(|member| !member.starts_with(&format!("\"{name}\"")));
    format!("{{{},\"{name}\":{value}}}", kept.collect::<Vec<_>>().join(","))
}

fn accepted(payload: &str, now: i64) -> bool {
    verify_at(&sign(HEADER, payload), at(now)).is_ok()
}

#[test]
fn replacing_works() {
    assert!(accepted(&with("sub", "\"8\""), IAT));
    assert_eq!(with("sub", "1").matches("\"sub\"").count(), 1);
}

#[test]
fn every_claim_is_there() {
    for name in ["sub", "jti", "type", "exp", "iat"] {
        assert!(!accepted(&CLAIMS.replace(&format!("\"{name}\""), "\"other\""), IAT), "{name}");
    }
    for payload in ["{}", "[]", "null", "1", "\"\"", "", " ", &format!("[{CLAIMS}]"), &format!("{CLAIMS}{CLAIMS}")] {
        assert!(!accepted(payload, IAT), "{payload}");
    }
    // serde would fill a struct from an array.
    assert!(!accepted(r#"["7","0123456789abcdef0123456789abcdef","access",4948956284,1795356284]"#, IAT));
}

#[test]
fn every_claim_has_its_type() {
    const NEVER: [&str; 9] = ["null", "true", "false", "[]", "{}", "1.5", "\"\"", "\"never\"", "1e400"];
    for name in ["sub", "jti", "type", "exp", "iat", "nbf"] {
        // A `jti` may be any text.
        for value in NEVER.into_iter().filter(|value| (name, *value) != ("jti", "\"never\"")) {
            assert!(!accepted(&with(name, value), IAT), "{name}: {value}");
        }
    }
    for name in ["exp", "iat"] {
        for value in
            ["\"1795356284\"", "1795356284.0", "1.795356284e9", "[1795356284]", "99999999999999999999", "-1e400"]
        {
            assert!(!accepted(&with(name, value), IAT), "{name}: {value}");
        }
    }
    for name in ["sub", "jti", "type"] {
        for value in ["7", "[\"7\"]", "[\"access\"]", "{\"access\":null}", "[\"0123456789abcdef0123456789abcdef\"]"] {
            assert!(!accepted(&with(name, value), IAT), "{name}: {value}");
        }
    }
}

#[test]
fn a_subject_is_a_positive_number_in_one_spelling() {
    for good in ["1", "9223372036854775807"] {
        assert!(accepted(&with("sub", &format!("\"{good}\"")), IAT), "{good}");
    }
    for bad in ["0", "-1", "+1", "01", " 1", "1 ", "1.0", "1e1", "0x1", "9223372036854775808", "١", "1\\u0000", "1;2"]
    {
        assert!(!accepted(&with("sub", &format!("\"{bad}\"")), IAT), "{bad}");
    }
}

#[test]
fn an_identifier_is_any_text_that_a_column_holds() {
    let longest = "x".repeat(128);
    for good in ["7", "01234567-89AB-CDEF-0123-456789abcdef", "Käse/🔑 ", "../..", &longest] {
        assert!(accepted(&with("jti", &format!("\"{good}\"")), IAT), "{good}");
    }
    for bad in ["", "a\\u0000", "a\\n", "\\u001b[2J", "\u{85}", &"x".repeat(129)] {
        assert!(!accepted(&with("jti", &format!("\"{bad}\"")), IAT), "{bad}");
    }
}

#[test]
fn a_session_is_absent_or_32_lower_case_hex_digits() {
    let good = "0123456789abcdef0123456789abcdef";
    assert!(accepted(&with("sid", &format!("\"{good}\"")), IAT));
    for bad in [&good[1..], &good.to_uppercase(), "", "x", "01234567-89ab-cdef-0123-456789abcdef"] {
        assert!(!accepted(&with("sid", &format!("\"{bad}\"")), IAT), "{bad}");
    }
    for bad in ["null", "1", "[]", "{}", "false"] {
        assert!(!accepted(&with("sid", bad), IAT), "{bad}");
    }
}

#[test]
fn a_kind_is_one_of_two() {
    for (kind, good) in [("access", true), ("refresh", true), ("Access", false), ("access ", false), ("id", false)] {
        assert_eq!(accepted(&with("type", &format!("\"{kind}\"")), IAT), good, "{kind}");
    }
}

#[test]
fn times_are_ones_that_there_are() {
    for (exp, good) in [
        ("0", true),
        ("253402300799", true),
        ("8210266876799", true),
        ("8210266876800", false),
        ("9223372036854775807", false),
        ("-9223372036854775808", false),
    ] {
        assert_eq!(accepted(&with("exp", exp), IAT), good, "{exp}");
    }
}

#[test]
fn a_token_may_come_from_a_minute_ahead_and_no_more() {
    assert!(accepted(CLAIMS, IAT - 60));
    assert!(!accepted(CLAIMS, IAT - 61));
    assert!(!accepted(&with("iat", "8210266876799"), IAT));
}

#[test]
fn a_token_is_not_used_before_its_time() {
    assert!(accepted(&with("nbf", &IAT.to_string()), IAT));
    assert!(accepted(&with("nbf", "0"), IAT));
    assert!(!accepted(&with("nbf", &(IAT + 1).to_string()), IAT));
    assert!(!accepted(&with("nbf", "9223372036854775807"), IAT));
}

#[test]
fn no_member_stands_twice() {
    for twice in [
        r#""type":"access","type":"access""#,
        r#""type":"refresh","type":"access""#,
        r#""exp":4948956284,"\u0065xp":1"#,
        r#""other":1,"other":1"#,
        r#""other":[{"deep":1,"deep":2}]"#,
    ] {
        let name = twice.split('"').nth(1).unwrap();
        let kept =
            CLAIMS.trim_matches(['{', '}']).split(',').filter(|member| !member.starts_with(&format!("\"{name}\"")));
        let payload = format!("{{{},{twice}}}", kept.collect::<Vec<_>>().join(","));
        assert!(!accepted(&payload, IAT), "{payload}");
    }
}

#[test]
fn claims_nobody_here_knows_are_ignored() {
    for (name, value) in [("amr", "\"x\""), ("iss", "\"joe\""), ("roles", "[\"a\",{\"b\":null}]"), ("n", "1.5")] {
        assert!(accepted(&with(name, value), IAT), "{name}");
    }
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    for audience in ["\"other-service\"", "[\"a\",\"b\"]", "\"\"", "null"] {
        assert!(!accepted(&with("aud", audience), IAT), "{audience}");
    }
}
