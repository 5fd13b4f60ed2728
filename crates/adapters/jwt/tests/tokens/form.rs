//! Form of a token: one spelling, one length, three parts (RFC 7515 §2, §7.1).

use super::*;
use proptest::prelude::*;

fn good() -> String {
    sign(HEADER, CLAIMS)
}

#[test]
fn a_character_less_or_more_at_either_end_of_a_part() {
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    for place in 0..3 {
        let part = parts[place];
        for other in [&part[1..], &part[..part.len() - 1], "", &format!("A{part}"), &format!("{part}A")] {
            let mut changed = parts.clone();
            changed[place] = other;
            assert_eq!(verify(&changed.join(".")), Err(InvalidToken), "part {place}: {other}");
        }
    }
}

#[test]
fn every_other_byte_anywhere() {
    let token = good();
    for (at, byte) in token.bytes().enumerate() {
        for other in [b'A', b'_', b'.', b'=', b' ', b'0', byte ^ 1, byte ^ 0x20] {
            if other != byte {
                let mut forged = token.clone().into_bytes();
                forged[at] = other;
                assert_eq!(verify(&String::from_utf8(forged).unwrap()), Err(InvalidToken), "{at}: {other}");
            }
        }
    }
}

#[test]
fn other_spellings_of_the_signature() {
    let token = good();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // 43 characters hold 258 bits, two of them unused, so the last character is one of every fourth in
    // the alphabet.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(&signature[42..]).unwrap();
    for stray in 1..4 {
        let respelled = format!("{}{}", &signature[..42], &alphabet[last + stray..=last + stray]);
        assert_eq!(verify(&format!("{signed}.{respelled}")), Err(InvalidToken), "{respelled}");
    }
    for respelled in [
        format!("{signature}="),
        format!("{signature} "),
        format!(" {signature}"),
        format!("{signature}\n"),
        format!("{signature}\0"),
        format!("{signature}%3D"),
        signature.replace(['-', '_'], "+"),
    ] {
        if respelled != signature {
            assert_eq!(verify(&format!("{signed}.{respelled}")), Err(InvalidToken), "{respelled:?}");
        }
    }
}

#[test]
fn other_spellings_of_the_parts_under_a_true_signature() {
    let (header, payload) = (encode(HEADER.as_bytes()), encode(CLAIMS.as_bytes()));
    assert!(verify(&sign_parts(&header, &payload, SECRET)).is_ok());
    // Spaces after the brace extend the part to a length whose last character has unused bits.
    let two_over = encode(format!("{CLAIMS}{}", " ".repeat((5 - CLAIMS.len() % 3) % 3)).as_bytes());
    assert_eq!(two_over.len() % 4, 3, "two bytes over");
    assert!(verify(&sign_parts(&header, &two_over, SECRET)).is_ok());
    let last = two_over.chars().last().and_then(|last| char::from_u32(u32::from(last) + 1)).unwrap();
    let stray = format!("{}{last}", &two_over[..two_over.len() - 1]);
    for (header, payload) in [
        (header.clone(), stray),
        (header.clone(), format!("{two_over}=")),
        (header.clone(), format!("{payload}.")),
        (header.clone(), format!("{payload}.e30")),
        (header.clone(), format!(" {payload}")),
        (header.clone(), format!("{payload}\n")),
        (format!("{header}="), payload.clone()),
        (format!("{header} "), payload.clone()),
        (format!(".{header}"), payload.clone()),
        (String::new(), payload.clone()),
        (header.clone(), String::new()),
    ] {
        assert_eq!(verify(&sign_parts(&header, &payload, SECRET)), Err(InvalidToken), "{header}.{payload}");
    }
}

#[test]
fn more_or_less_than_three_parts() {
    let token = good();
    for other in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        token.replace('.', ""),
        token.rsplit_once('.').unwrap().0.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
        token.replacen('.', "..", 1),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("Bearer {token}"),
        format!("\u{feff}{token}"),
        format!(r#"{{"payload":"{token}"}}"#),
    ] {
        assert_eq!(verify(&other), Err(InvalidToken), "{other:?}");
    }
}

#[test]
fn a_token_of_60_kib_truly_signed_or_not() {
    let fill = format!(r#"{{"fill":"{}",{}"#, "x".repeat(60 * 1024), &CLAIMS[1..]);
    assert_eq!(verify(&sign(HEADER, &fill)), Err(InvalidToken));
    assert_eq!(verify(&"A".repeat(60 * 1024)), Err(InvalidToken));
    assert_eq!(verify(&".".repeat(60 * 1024)), Err(InvalidToken));
    let fits = format!(r#"{{"fill":"{}",{}"#, "x".repeat(5 * 1024), &CLAIMS[1..]);
    assert!(verify(&sign(HEADER, &fits)).is_ok());
}

proptest! {
    #[test]
    fn no_text_verifies(text in "\\PC{0,200}", bytes in "[A-Za-z0-9_.-]{0,300}") {
        prop_assert_eq!(verify(&text), Err(InvalidToken));
        prop_assert_eq!(verify(&bytes), Err(InvalidToken));
    }

    #[test]
    fn no_signed_text_panics(header in "\\PC{0,60}", payload in "\\PC{0,200}", json in "[\\[\\]{}\":,0-9a-z\\\\]{0,100}") {
        prop_assert_eq!(verify(&sign(&header, CLAIMS)), Err(InvalidToken));
        prop_assert_eq!(verify(&sign(HEADER, &payload)), Err(InvalidToken));
        prop_assert_eq!(verify(&sign(HEADER, &json)), Err(InvalidToken));
    }

    #[test]
    fn nothing_changed_verifies(at in 0_usize..240, insert in "\\PC{1,3}", cut in 0_usize..4) {
        let token = good();
        let at = at.min(token.len());
        let end = (at + cut).min(token.len());
        let changed = format!("{}{insert}{}", &token[..at], &token[end..]);
        if changed != token {
            prop_assert_eq!(verify(&changed), Err(InvalidToken));
        }
    }
}
