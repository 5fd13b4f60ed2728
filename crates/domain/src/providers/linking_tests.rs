//! Tests of the linking rules, row by row.

use super::*;
use crate::providers::IdentityKey;
use crate::registration::EmailAddress;
use LinkRejection::{AccountDisabled, AccountExists, DomainNotAllowed, EmailMissing, IdentityTaken, SignUpClosed};
use chrono::DateTime;
use proptest::prelude::*;

/// Account `id` with properties: `d` disabled, `v` verified.
fn user(id: i64, properties: &str) -> User {
    User {
        id: UserId::new(id),
        email: EmailAddress::parse("ada@example.org").unwrap(),
        is_active: !properties.contains('d'),
        created_at: DateTime::UNIX_EPOCH,
        email_verified_at: properties.contains('v').then_some(DateTime::UNIX_EPOCH),
    }
}

/// Profile with an email (`e`) that is trusted (`t`), and a domain.
fn profile(properties: &str, domain: Option<&str>) -> ProviderProfile {
    ProviderProfile {
        key: IdentityKey::new("https://id.example", "1").unwrap(),
        email: properties.contains('e').then(|| EmailAddress::parse("ada@example.org").unwrap()),
        email_trusted: properties.contains('t'),
        domain: domain.map(str::to_owned),
        multi_factor: false,
    }
}

/// Policy with closed sign-up (`s`), without linking by email (`l`), for one domain (`a`).
fn policy(properties: &str) -> LinkingPolicy {
    let allowed_domains = properties.contains('a').then(|| "Example.org".to_owned()).into_iter().collect();
    LinkingPolicy { sign_up: !properties.contains('s'), link_by_email: !properties.contains('l'), allowed_domains }
}

/// Decides about accounts given as properties: the identity's, the flow's, and those with the email. `=` is the
/// flow's account in place of the identity's.
fn decide(of: &str, says: &str, [known, flow, accounts]: [&str; 3]) -> Result<Link, LinkRejection> {
    let one = |id, text: &str| (text != "-").then(|| user(id, text));
    let link_to = one(2, flow);
    let known = if known == "=" { link_to.clone() } else { one(1, known) };
    let (reserved, accounts) = accounts.strip_prefix('r').map_or((false, accounts), |rest| (true, rest));
    let accounts: Vec<_> =
        (3..).zip(accounts.split('+')).filter(|(_, text)| *text != "-").map(|(id, text)| user(id, text)).collect();
    let (known, link_to, again) = (known.as_ref(), link_to.as_ref(), None);
    let facts = LinkingFacts { known, link_to, again, accounts: &accounts, is_reserved: reserved };
    let domain = says.contains('t').then_some("example.org");
    policy(of).decide(&profile(says, domain), &facts)
}

fn id(id: i64) -> UserId {
    UserId::new(id)
}

#[test]
fn first_row_that_fits_decides() {
    for (of, says, accounts, decision) in [
        // 1: known, regardless of email, settings and other accounts.
        ("", "et", ["", "-", "-"], Ok(Link::SignIn(id(1)))),
        ("sla", "", ["", "-", "v"], Ok(Link::SignIn(id(1)))),
        ("sla", "e", ["v", "-", "rv+v"], Ok(Link::SignIn(id(1)))),
        ("", "et", ["dv", "-", "-"], Err(AccountDisabled)),
        // 1 in a flow that links.
        ("", "et", ["", "v", "-"], Err(IdentityTaken)),
        ("", "et", ["d", "v", "-"], Err(IdentityTaken)),
        ("", "et", ["", "dv", "-"], Err(IdentityTaken)),
        ("sla", "", ["=", "v", "v"], Ok(Link::AlreadyLinked(id(2)))),
        ("", "et", ["=", "dv", "-"], Err(AccountDisabled)),
        // 2: regardless of email, settings and other accounts.
        ("", "et", ["-", "v", "-"], Ok(Link::LinkTo(id(2)))),
        ("sla", "", ["-", "", "v"], Ok(Link::LinkTo(id(2)))),
        ("sla", "e", ["-", "v", "rv+v"], Ok(Link::LinkTo(id(2)))),
        ("", "et", ["-", "dv", "-"], Err(AccountDisabled)),
        // 3
        ("sa", "", ["-", "-", "-"], Err(EmailMissing)),
        // 4
        ("", "et", ["-", "-", "-"], Ok(Link::SignUp { verified: true })),
        ("la", "et", ["-", "-", "-"], Ok(Link::SignUp { verified: true })),
        ("", "e", ["-", "-", "-"], Ok(Link::SignUp { verified: false })),
        ("s", "et", ["-", "-", "-"], Err(SignUpClosed)),
        ("s", "e", ["-", "-", "-"], Err(SignUpClosed)),
        // 5
        ("s", "et", ["-", "-", "v"], Ok(Link::LinkByEmail(id(3)))),
        ("l", "et", ["-", "-", "v"], Err(AccountExists)),
        ("", "et", ["-", "-", "vd"], Err(AccountDisabled)),
        ("l", "et", ["-", "-", "vd"], Err(AccountDisabled)),
        // 6: also if linking by email is off.
        ("sl", "et", ["-", "-", ""], Ok(Link::Reclaim(id(3)))),
        ("", "et", ["-", "-", "d"], Err(AccountDisabled)),
        // 7
        ("", "e", ["-", "-", "v"], Err(AccountExists)),
        ("s", "e", ["-", "-", ""], Err(AccountExists)),
        ("", "e", ["-", "-", "d"], Err(AccountExists)),
        // Shared and reserved.
        ("", "et", ["-", "-", "v+v"], Err(AccountExists)),
        ("", "et", ["-", "-", "d+"], Err(AccountExists)),
        ("s", "et", ["-", "-", "r-"], Err(AccountExists)),
        ("", "et", ["-", "-", "rv"], Err(AccountExists)),
        ("", "e", ["-", "-", "r-"], Err(AccountExists)),
        // The domain comes before all accounts; an untrusted email has none.
        ("sa", "e", ["-", "-", "-"], Err(DomainNotAllowed)),
        ("a", "e", ["-", "-", "v+v"], Err(DomainNotAllowed)),
        ("a", "et", ["-", "-", "v"], Ok(Link::LinkByEmail(id(3)))),
    ] {
        assert_eq!(decide(of, says, accounts), decision, "{of:?} {says:?} {accounts:?}");
    }
}

#[test]
fn allowed_domains_are_compared_as_a_whole() {
    let decide = |domain| policy("a").decide(&profile("et", domain), &LinkingFacts::default());
    assert_eq!(decide(Some("example.org")), Ok(Link::SignUp { verified: true }));
    for domain in [None, Some(""), Some("sub.example.org"), Some("anexample.org"), Some("example.org.")] {
        assert_eq!(decide(domain), Err(DomainNotAllowed), "{domain:?}");
    }
}

proptest! {
    #[test]
    fn email_opens_an_account_only_if_it_is_trusted(
        of in "s?l?a?",
        says in "e?t?",
        known in "-|d?v?",
        flow in "-|d?v?",
        accounts in "r?(-|d?v?(\\+d?v?)?)",
    ) {
        let decided = decide(&of, &says, [&known, &flow, &accounts]);
        let (trusted, alone) = (says == "et", !accounts.contains('+'));
        let verified = accounts.contains('v');
        match decided {
            Ok(Link::SignIn(user)) => prop_assert!(user == id(1) && flow == "-" && !known.contains('d')),
            Ok(Link::LinkTo(user)) => prop_assert!(user == id(2) && known == "-" && !flow.contains('d')),
            Ok(Link::AlreadyLinked(_)) => prop_assert!(false, "the identity has another account"),
            Ok(Link::SignUp { verified }) => {
                prop_assert!(accounts == "-" && verified == trusted && !of.contains('s'));
            }
            Ok(Link::LinkByEmail(user) | Link::Reclaim(user)) => {
                prop_assert!(user == id(3) && trusted && alone && !accounts.contains(['r', 'd']));
                prop_assert_eq!(matches!(decided, Ok(Link::LinkByEmail(_))), verified);
            }
            Err(_) => {
                let stricter = decide("sla", &says, [&known, &flow, &accounts]);
                prop_assert!(stricter.is_err(), "a stricter policy accepts {:?}", stricter);
            }
        }
    }
}

#[test]
fn account_authenticates_again_with_its_own_identity_only() {
    fn decide(known: Option<&User>, accounts: &[User]) -> Result<Link, LinkRejection> {
        let facts = LinkingFacts { known, again: Some(id(1)), accounts, ..LinkingFacts::default() };
        policy("").decide(&profile("et", None), &facts)
    }
    assert_eq!(decide(Some(&user(1, "v")), &[]), Ok(Link::SignIn(id(1))));
    assert_eq!(decide(Some(&user(1, "dv")), &[]), Err(AccountDisabled));
    for accounts in [&[][..], &[user(1, "v")], &[user(1, "")]] {
        for known in [None, Some(&user(2, "v"))] {
            assert_eq!(decide(known, accounts), Err(LinkRejection::OtherAccount), "{known:?} {accounts:?}");
        }
    }
}
