//! Email addresses: accepted ones follow the documented rules, and parsing them again changes nothing.

use portcullis_domain::registration::EmailAddress;

/// ASCII characters allowed in an atom besides letters and digits (RFC 5322 §3.2.3).
const PUNCTUATION: &str = "!#$%&'*+-/=?^_`{|}~";

/// Parses text as an email address.
pub fn email(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(read) = EmailAddress::parse(text) else { return };
    let (canonical, spelled) = (read.canonical(), read.original());
    is_an_address(canonical);
    assert_eq!(canonical, spelled.to_ascii_lowercase());
    let again = |text: &str| EmailAddress::parse(text).expect("what was taken is taken again");
    assert_eq!(again(spelled), read);
    assert_eq!(again(&format!("\t{spelled} ")), read);
    assert_eq!(again(canonical).original(), canonical);
    assert_eq!(again(&spelled.to_ascii_uppercase()).canonical(), canonical);
    let typed = text.trim().to_ascii_lowercase();
    if typed.is_ascii() && !typed.contains("xn--") {
        assert_eq!(canonical, typed, "ASCII means what it says");
    }
    let shown = format!("{read:?}");
    let local = canonical.split('@').next().unwrap_or_default();
    // The debug output contains the domain, which may contain the local part.
    assert!(!shown.replace(canonical.rsplit('@').next().unwrap_or_default(), "").contains(local) || local.len() < 14);
}

fn is_an_address(text: &str) {
    assert!(text.chars().count() <= 254, "too long");
    assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control() || c.is_ascii_uppercase()), "{text:?}");
    let (local, domain) = text.split_once('@').expect("an @-sign");
    for atom in local.split('.') {
        let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || PUNCTUATION.contains(c);
        assert!(!atom.is_empty() && atom.chars().all(allowed), "{local:?}");
    }
    assert!(domain.contains('.'), "{domain:?}");
    for label in domain.split('.') {
        let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-';
        assert!(!label.is_empty() && label.chars().all(allowed), "{domain:?}");
        assert!(!label.starts_with('-') && !label.ends_with('-') && label.chars().count() <= 63, "{domain:?}");
    }
}
