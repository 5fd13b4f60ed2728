//! What every use of a passkey checks: the fields of a response and its challenge.

use super::*;

on_both_databases!(
    c2_4_every_wrong_field_has_its_code,
    c2_4_members_that_say_nothing_wrong_are_accepted,
    c2_16_a_challenge_has_one_purpose_and_one_account_or_none,
    c2_16_a_forged_challenge_is_refused,
    c2_16_a_challenge_works_once_also_at_once,
    c2_18_options_store_nothing_and_a_used_challenge_its_digest,
);

/// Changes of what is signed for, and the code of a registration.
const CHANGES: [(Change, &str); 17] = [
    (|ceremony| ceremony.kind = "webauthn.other".to_owned(), "type"),
    (|ceremony| ceremony.kind = "payment.get".to_owned(), "type"),
    (|ceremony| ceremony.origin = "https://example.org".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "https://login.example.org/".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "https://LOGIN.example.org".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "http://login.example.org".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "https://login.example.org:8443".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "https://a.login.example.org".to_owned(), "origin"),
    (|ceremony| ceremony.origin = "https://login.example.org.example.net".to_owned(), "origin"),
    (|ceremony| ceremony.cross_origin = Some(true), "origin"),
    (|ceremony| ceremony.rp_id = "login.example.org".to_owned(), "rp_id"),
    (|ceremony| ceremony.rp_id = "example.net".to_owned(), "rp_id"),
    (|ceremony| ceremony.flags &= !UP, "user_presence"),
    (|ceremony| ceremony.client_data = Some(b"{}".to_vec()), "malformed"),
    (|ceremony| ceremony.client_data = Some(b"[1".to_vec()), "malformed"),
    (|ceremony| ceremony.authenticator_data = Some(vec![0; 36]), "malformed"),
    (|ceremony| ceremony.extensions = vec![0], "malformed"),
];

/// Changes of the JSON, all of them malformed.
const MALFORMED: [fn(&mut Value); 8] = [
    |credential| *credential = json!({}),
    |credential| credential["type"] = json!("password"),
    |credential| credential["rawId"] = json!("AAAA"),
    |credential| credential["id"] = json!("AAAA"),
    |credential| (credential["id"], credential["rawId"]) = (json!(""), json!("")),
    |credential| credential["response"] = json!("AAAA"),
    |credential| credential["response"]["clientDataJSON"] = json!(7),
    |credential| credential["response"]["clientDataJSON"] = json!("a+b/"),
];

fn c2_4_every_wrong_field_has_its_code(home: &Home) {
    let mut holder = Holder::new(home);
    let (account, listed) = (holder.account.id, home.passkeys(&holder.pair.access));
    let sessions = format!("FROM sessions WHERE user_id = {account} AND ended_at IS NULL");
    for to in USES {
        let before = home.database.count(&sessions);
        // What is refused spends no challenge.
        let challenge = holder.options(to)["challenge"].clone();
        for (number, (change, code)) in CHANGES.into_iter().enumerate() {
            let credential = holder.respond(to, &challenge, change);
            to.expect(&holder.send(to, &credential), Some(code), number);
        }
        // The others share the parser of sign-ins.
        for change in MALFORMED.into_iter().filter(|_| matches!(to, Register | LogIn)) {
            let mut credential = holder.respond(to, &challenge, |_| {});
            change(&mut credential);
            to.expect(&holder.send(to, &credential), Some("malformed"), credential);
        }
        for no_object in [json!(null), json!("x"), json!([{}])] {
            holder.send(to, &no_object).expect_error(422, "VALIDATION_ERROR");
        }
        assert_eq!(home.database.count(&sessions), before, "{to:?} began a session");
    }
    assert_eq!(home.passkeys(&holder.pair.access), listed, "none was added or used");
}

fn c2_4_members_that_say_nothing_wrong_are_accepted(home: &Home) {
    let mut holder = Holder::new(home);
    for to in USES {
        for change in [(|ceremony| ceremony.cross_origin = None) as Change, |ceremony| {
            let text = String::from_utf8(ceremony.client_data()).unwrap();
            let more = text.replacen('{', r#"{"other_keys_can_be_added_here":"do not compare","#, 1);
            ceremony.client_data = Some(more.into_bytes());
        }] {
            let challenge = holder.options(to)["challenge"].clone();
            let credential = holder.respond(to, &challenge, change);
            to.expect(&holder.send(to, &credential), None, credential);
        }
    }
}

fn c2_16_a_challenge_has_one_purpose_and_one_account_or_none(home: &Home) {
    let (mut holder, other) = (Holder::new(home), Holder::new(home));
    for to in USES {
        for of in USES {
            for is_own in [true, false] {
                let challenge = if is_own { holder.options(of) } else { other.options(of) }["challenge"].clone();
                let credential = holder.respond(to, &challenge, |_| {});
                let is_accepted = to == of && (is_own || of == LogIn);
                let fault = (!is_accepted).then_some("challenge");
                to.expect(&holder.send(to, &credential), fault, (of, is_own));
            }
        }
    }
}

fn c2_16_a_forged_challenge_is_refused(home: &Home) {
    let mut holder = Holder::new(home);
    for to in USES {
        let issued = holder.options(to)["challenge"].as_str().unwrap().to_owned();
        assert_eq!(issued.len(), 43, "32 bytes");
        let flipped = |place: usize| {
            let other = if issued.as_bytes()[place] == b'A' { "B" } else { "A" };
            format!("{}{other}{}", &issued[..place], &issued[place + 1..])
        };
        // The time, the random part and the MAC.
        for forged in [flipped(0), flipped(12), flipped(40), issued[..40].to_owned(), "A".repeat(43), String::new()] {
            let credential = holder.respond(to, &json!(forged), |_| {});
            to.expect(&holder.send(to, &credential), Some("challenge"), forged);
        }
        let credential = holder.respond(to, &json!(issued), |_| {});
        to.expect(&holder.send(to, &credential), None, "issued");
    }
}

fn c2_16_a_challenge_works_once_also_at_once(home: &Home) {
    let mut holder = Holder::new(home);
    for to in USES {
        let challenge = holder.options(to)["challenge"].clone();
        let credential = holder.respond(to, &challenge, |_| {});
        let replies = at_once(6, |_| holder.send(to, &credential));
        let (accepted, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status < 300);
        assert_eq!(accepted.len(), 1, "{to:?}");
        refused.into_iter().for_each(|reply| to.expect(reply, Some("challenge"), "at once"));
        // Nor does another key of the account sign it again.
        let again = holder.respond(to, &challenge, |_| {});
        to.expect(&holder.send(to, &again), Some("challenge"), "again");
    }
}

fn c2_18_options_store_nothing_and_a_used_challenge_its_digest(backend: Backend) {
    let service = backend.service().with_passkeys().start();
    let mut holder = Holder::new(&service);
    let used = || service.database.count("FROM used_challenges");
    let before = used();
    let options = USES.map(|of| holder.options(of));
    assert_eq!((used(), options.len()), (before, 5));
    for (to, options) in USES.into_iter().zip(options) {
        let wrong = holder.respond(to, &options["challenge"], |ceremony| ceremony.origin = "https://e.org".to_owned());
        to.expect(&holder.send(to, &wrong), Some("origin"), "wrong");
        let right = holder.respond(to, &options["challenge"], |_| {});
        to.expect(&holder.send(to, &right), None, "right");
    }
    assert_eq!(used(), before + 5, "what is refused spends nothing");
    let lengths = service.database.texts("max(length(digest))", "FROM used_challenges");
    assert_eq!(lengths, ["32"]);
}
