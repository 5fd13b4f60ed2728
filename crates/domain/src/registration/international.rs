//! Email addresses beyond ASCII: IDNA domains and NFC local parts. Only with the feature
//! `international`, because its tables are large.

use super::EmailError;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Returns the ASCII and the Unicode form of a domain (UTS 46, non-transitional).
pub(super) fn domain(domain: &str) -> Result<(String, String), EmailError> {
    let uts46 = Uts46::new();
    let ascii = uts46
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| EmailError::Domain)?
        .into_owned();
    let (unicode, valid) = uts46.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    valid.map_err(|_| EmailError::Domain)?;
    let unicode = unicode.into_owned();
    Ok((ascii, unicode))
}

/// Returns the NFC form of a local part (RFC 6532 §3.1). Fails if normalization creates an ASCII
/// character (U+212A KELVIN SIGN becomes K), because the address would become another user's. Also
/// fails if a character is invisible, or if the first one is a combining mark.
pub(super) fn local(local: &str) -> Result<String, EmailError> {
    let ascii = |text: &str| text.chars().filter(char::is_ascii).count();
    let nfc: String = local.nfc().collect();
    let merges = ascii(&nfc) > ascii(local);
    let visible = nfc.chars().all(|c| c.is_ascii() || is_visible(c)) && !nfc.starts_with(is_combining_mark);
    if merges || !visible { Err(EmailError::Local) } else { Ok(nfc) }
}

/// Returns whether a non-ASCII character is visible: not a space, control, format, tag, private-use or
/// unassignable character (UTS 39 §3.1). Joiners are allowed, because Indic scripts need them.
fn is_visible(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{10ffff}');
    !(hidden || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::super::{EmailAddress, EmailError};

    fn canonical(input: &str) -> String {
        EmailAddress::parse(input).unwrap().canonical().to_owned()
    }

    #[test]
    fn every_spelling_of_an_international_domain_is_one() {
        for input in [
            "heidi@müller.example",
            "Heidi@MÜLLER.example",
            "heidi@xn--mller-kva.example",
            "heidi@XN--MLLER-KVA.EXAMPLE",
            "heidi@mu\u{308}ller.example",
        ] {
            assert_eq!(canonical(input), "heidi@müller.example", "{input:?}");
        }
    }

    #[test]
    fn look_alikes_are_refused_or_stay_apart() {
        assert_eq!(EmailAddress::parse("mi\u{212a}e@example.org"), Err(EmailError::Local));
        assert_eq!(EmailAddress::parse("mike\u{ff20}example.org"), Err(EmailError::At));
        assert_ne!(canonical("mıke@example.org"), canonical("mike@example.org"));
        assert_ne!(canonical("ſam@example.org"), canonical("sam@example.org"));
    }

    #[test]
    fn a_local_part_beyond_ascii_is_normalised_and_not_folded() {
        assert_eq!(canonical("jose\u{301}@example.org"), canonical("josé@example.org"));
        assert_ne!(canonical("É@example.org"), canonical("é@example.org"));
    }

    #[test]
    fn email_accepts_visible_characters_and_rejects_invisible_ones() {
        for local in ["हिन्दी", "ท่าน", "நன்றி", "🙂", "a’b", "a€b", "x\u{301}"] {
            assert!(EmailAddress::parse(&format!("{local}@example.com")).is_ok(), "{local}");
        }
        for local in ["a\u{200b}b", "a\u{202e}b", "a\u{a0}b", "\u{301}x", "a\u{feff}", "\u{e001}", "a\u{e0041}"] {
            assert!(EmailAddress::parse(&format!("{local}@example.com")).is_err(), "{local:?}");
        }
    }

    #[test]
    fn broken_international_domains_are_refused() {
        for input in ["a@xn--a.example", "a@\u{200d}.example", "a@exa mple.org", "a@ü"] {
            assert_eq!(EmailAddress::parse(input), Err(EmailError::Domain), "{input:?}");
        }
    }
}
