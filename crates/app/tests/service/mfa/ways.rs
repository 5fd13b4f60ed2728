//! Every way in passes the same gate: the table of ways and states of an account. An operation of the API
//! document that hands tokens out and is not in the table fails the test.

use crate::harness::passkeys::{SoftwarePasskey, UP, new_key};
use crate::harness::totp::Authenticator;
use crate::pages::Visitor;
use crate::prelude::*;
use crate::providers::{Home, PUBLIC_URL, Person, code_at, hosted_query};
use std::collections::BTreeSet;

on_both_databases!(
    m4_every_way_in_passes_the_same_gate,
    m4_reauthentication_and_refresh_are_no_way_in,
    m4_every_operation_that_hands_out_tokens_is_a_row,
);

/// State of an account at the moment of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has no second factor.
    Plain,
    Factor,
    /// It has none, and `MFA_REQUIRED` is on.
    Required,
    Inactive,
    Unverified,
    /// Too many wrong guesses.
    Locked,
    /// It has a factor, and the device is trusted.
    Trusted,
}
use State::{Factor, Inactive, Locked, Plain, Required, Trusted, Unverified};

const STATES: [State; 7] = [Plain, Factor, Required, Inactive, Unverified, Locked, Trusted];

type Expected = (u16, &'static str);
const IN: Expected = (200, "");
const CREDENTIALS: Expected = (401, "AUTH_INVALID_CREDENTIALS");
const INVALID: Expected = (401, "AUTH_TOKEN_INVALID");
const REVOKED: Expected = (401, "AUTH_TOKEN_REVOKED");
/// Any of the three.
const REFUSED: Expected = (401, "AUTH_");
const MFA: Expected = (403, "AUTH_MFA_REQUIRED");
const ENROL: Expected = (403, "AUTH_MFA_ENROLMENT_REQUIRED");
const UNVERIFIED: Expected = (403, "AUTH_EMAIL_UNVERIFIED");
const DISABLED: Expected = (403, "FORBIDDEN");
const LIMITED: Expected = (429, "RATE_LIMITED");
/// No account in this state has what the way asks for.
const NEVER: Expected = (0, "");

/// Prepares an account, brings it into the state and makes the call.
type Way = fn(&House, State) -> Reply;

/// Operation, a name for it, how it is called and the answer in each state.
const WAYS: [(&str, &str, Way, [Expected; 7]); 10] = [
    ("POST /auth/login", "JSON", json_login, [IN, MFA, ENROL, CREDENTIALS, UNVERIFIED, LIMITED, IN]),
    ("POST /auth/login", "form", form_login, [IN, MFA, ENROL, CREDENTIALS, UNVERIFIED, LIMITED, IN]),
    ("POST /auth/mfa/verify", "code", verify, [REFUSED, IN, INVALID, REFUSED, UNVERIFIED, LIMITED, IN]),
    ("POST /auth/mfa/verify", "passkey", verify_passkey, [REFUSED, IN, INVALID, REFUSED, UNVERIFIED, LIMITED, IN]),
    (
        "POST /auth/mfa/totp/{id}/confirm",
        "enrolment",
        confirm,
        [NEVER, REVOKED, IN, REFUSED, UNVERIFIED, LIMITED, NEVER],
    ),
    ("POST /auth/passkeys/login", "verified user", passkey, [IN, IN, IN, CREDENTIALS, UNVERIFIED, IN, IN]),
    // One factor: it needs another one, and wrong passwords do not count against it.
    (
        "POST /auth/passkeys/login",
        "unverified user",
        unverified_passkey,
        [CREDENTIALS, MFA, CREDENTIALS, CREDENTIALS, UNVERIFIED, MFA, IN],
    ),
    // Wrong passwords do not count against a provider.
    ("POST /auth/code", "provider", code, [IN, MFA, ENROL, CREDENTIALS, UNVERIFIED, MFA, IN]),
    // The account's first factor ends the session of the pages.
    ("POST /auth/code", "pages", hosted, [IN, REVOKED, ENROL, CREDENTIALS, UNVERIFIED, IN, IN]),
    ("POST /auth/providers/{name}/id-token", "native app", id_token, [IN, MFA, ENROL, DISABLED, UNVERIFIED, MFA, IN]),
];

/// Hands tokens of a session out that is there already.
const GOES_ON: [&str; 1] = ["POST /auth/refresh"];

/// Two services on one database: one of them requires a second factor.
struct House {
    lax: Home,
    strict: Home,
}

impl House {
    fn start(backend: Backend) -> Self {
        let setup = |setup: ServiceBuilder| {
            let setup = setup.set("REQUIRE_VERIFIED_EMAIL", "true").set("MFA_TRUST_DAYS", "30");
            setup.unset("RATE_LIMIT_ENABLED").set("RATE_LIMIT_SOURCE", "100000/24h")
        };
        let lax = Home::over(setup(backend.service()));
        let strict = Home::over(setup(lax.again()).set("MFA_REQUIRED", "true"));
        Self { lax, strict }
    }

    fn of(&self, state: State) -> &Home {
        if state == Required { &self.strict } else { &self.lax }
    }

    fn verify_address(&self, account: &Account, verified: bool) {
        let at = if verified { "'2026-01-01 00:00:00'" } else { "NULL" };
        self.lax.set_user(account, &format!("email_verified_at = {at}"));
    }

    /// Creates an account with a verified address.
    fn account(&self) -> Account {
        let account = self.lax.account();
        self.verify_address(&account, true);
        account
    }

    fn enrolled(&self) -> Enrolled {
        self.lax.enrol(self.account())
    }

    /// Brings an account into a state that any account can be in.
    fn bring(&self, account: &Account, state: State) {
        match state {
            Inactive => self.lax.disable(account),
            Unverified => self.verify_address(account, false),
            Plain | Factor | Required | Locked | Trusted => {}
        }
    }

    fn live_sessions(&self, account: &Account) -> i64 {
        self.lax.database.count(&format!("FROM sessions WHERE user_id = {} AND ended_at IS NULL", account.id))
    }
}

/// Creates an account and returns it with the cookie of its device.
fn created(house: &House, state: State) -> (Account, String) {
    if state == Plain || state == Required {
        return (house.account(), String::new());
    }
    let enrolled = house.enrolled();
    let is_trusted = state == Trusted;
    let cookie = if is_trusted { super::devices::remembered(&house.lax, &enrolled) } else { String::new() };
    (enrolled.account, cookie)
}

/// Brings an account into the state, with wrong passwords if it is to be locked.
fn spoil(house: &House, account: &Account, state: State) {
    house.bring(account, state);
    if state == Locked {
        (0..10).for_each(|_| house.of(state).login(&account.email, "wrong password").wrong_credentials());
    }
}

/// Prepares a login. Returns its account and cookie.
fn login(house: &House, state: State) -> (Account, String) {
    let (account, cookie) = created(house, state);
    spoil(house, &account, state);
    (account, cookie)
}

fn json_login(house: &House, state: State) -> Reply {
    let (account, cookie) = login(house, state);
    house.of(state).login_from(&cookie, &account)
}

fn form_login(house: &House, state: State) -> Reply {
    let (account, cookie) = login(house, state);
    let call = house.of(state).call("POST", "/auth/login").header("Cookie", &cookie);
    call.fields(&account.as_form()).send()
}

fn verify(house: &House, state: State) -> Reply {
    verify_by(house, state, |service, enrolled, _| json!({"code": service.fresh_code(enrolled)}))
}

fn verify_passkey(house: &House, state: State) -> Reply {
    verify_by(house, state, |_, _, credential| json!({"credential": credential}))
}

/// Completes a login of an account that has an app and a passkey.
fn verify_by(house: &House, state: State, proof: fn(&Service, &Enrolled, &Value) -> Value) -> Reply {
    let service = house.of(state);
    if state == Required {
        let account = house.account();
        let token = service.login(&account.email, &account.password).enrolment_token();
        return service.second(&token, &json!({"code": "123456"}));
    }
    let enrolled = house.enrolled();
    let account = &enrolled.account;
    let mut added = service.add_key(&enrolled.pair, new_key(PUBLIC_URL), true);
    let details = service.login(&account.email, &account.password).expect_error(403, "AUTH_MFA_REQUIRED");
    let token = details["mfa_token"].as_str().unwrap().to_owned();
    let credential = added.key.sign(&details["publicKey"]);
    house.bring(account, state);
    match state {
        Plain => {
            service.remove_passkey(&enrolled.pair.access, &added.id).has_status(204);
            service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
        }
        Trusted => _ = super::devices::remembered(service, &enrolled),
        Locked => {
            (0..5).for_each(|_| service.second(&token, &json!({"code": enrolled.app.wrong()})).wrong_credentials())
        }
        _ => {}
    }
    service.second(&token, &proof(service, &enrolled, &credential))
}

/// Adds a passkey to an account and brings the account into the state. Returns the key and the cookie of the device.
fn with_passkey(house: &House, state: State) -> (SoftwarePasskey, String) {
    let (account, pair, cookie) = if state == Plain || state == Required {
        let account = house.account();
        let pair = house.lax.sign_in(&account);
        (account, pair, String::new())
    } else {
        let enrolled = house.enrolled();
        let cookie = if state == Trusted { super::devices::remembered(&house.lax, &enrolled) } else { String::new() };
        (enrolled.account, enrolled.pair, cookie)
    };
    let key = house.lax.add_key(&pair, new_key(PUBLIC_URL), false).key;
    spoil(house, &account, state);
    (key, cookie)
}

fn passkey(house: &House, state: State) -> Reply {
    let (mut key, cookie) = with_passkey(house, state);
    house.of(state).sign_in_with_from(&cookie, &mut key)
}

fn unverified_passkey(house: &House, state: State) -> Reply {
    let (mut key, cookie) = with_passkey(house, state);
    key.flags = UP;
    house.of(state).sign_in_with_from(&cookie, &mut key)
}

/// Links an identity to an account and brings it into the state. Returns the person, a code that is older than the
/// state, and the cookie of the device.
fn linked(house: &House, state: State) -> (Person, String, String) {
    let (account, cookie) = created(house, state);
    let person = Person::new(&account.email);
    let code = house.lax.code("corp", &person);
    spoil(house, &account, state);
    (person, code, cookie)
}

fn code(house: &House, state: State) -> Reply {
    let (_, code, cookie) = linked(house, state);
    house.of(state).exchange_from(&cookie, &code)
}

/// Signs in at the pages with all that is asked for, and exchanges the code that is older than the state.
fn hosted(house: &House, state: State) -> Reply {
    let is_enrolled = !matches!(state, Plain | Required | Factor);
    let enrolled = is_enrolled.then(|| house.enrolled());
    let account = enrolled.as_ref().map_or_else(|| house.account(), |enrolled| enrolled.account.clone());
    let mut visitor = Visitor::new(&house.lax);
    if let (Trusted, Some(enrolled)) = (state, &enrolled) {
        let cookie = super::devices::remembered(&house.lax, enrolled);
        let (name, value) = cookie.split_once('=').unwrap();
        visitor.jar.insert(name.to_owned(), value.to_owned());
    }
    let mut reply = visitor.log_in(&hosted_query(), &account);
    if let (303, Some(enrolled)) = (reply.status, &enrolled) {
        let path = crate::pages::resolve(&reply.location());
        reply = visitor.submit(&path, &[("code", &house.lax.fresh_code(enrolled))]);
    }
    let code = code_at(&reply.app_url());
    if state == Factor {
        house.lax.enrol(account.clone());
    }
    spoil(house, &account, state);
    house.of(state).exchange(&code)
}

fn id_token(house: &House, state: State) -> Reply {
    let (person, _, cookie) = linked(house, state);
    house.of(state).native_from(&cookie, "corp", &person)
}

/// Confirms a factor with the token of a login that had to set one up.
fn confirm(house: &House, state: State) -> Reply {
    let (service, account) = (&house.strict, house.account());
    let before = house.lax.sign_in(&account);
    let token = service.login(&account.email, &account.password).enrolment_token();
    let begun = service.begin_factor(&token).expect(201);
    let (id, app) = (begun["id"].as_str().unwrap(), Authenticator::of(begun["secret"].as_str().unwrap()));
    house.bring(&account, state);
    match state {
        Factor => drop(house.lax.add_factor(&before.access)),
        Locked => (0..5).for_each(|_| service.confirm_factor(&token, id, &app.wrong()).wrong_credentials()),
        _ => {}
    }
    service.confirm_factor(&token, id, &app.code())
}

fn m4_every_way_in_passes_the_same_gate(backend: Backend) {
    let house = House::start(backend);
    for (operation, name, way, row) in WAYS {
        for (state, (status, code)) in STATES.into_iter().zip(row).filter(|(_, expected)| *expected != NEVER) {
            let what = format!("{operation} ({name}), {state:?}");
            let reply = way(&house, state);
            assert_eq!(reply.status, status, "{what}: {}", reply.text());
            let told = reply.json();
            assert_eq!(told.get("refresh_token").is_some(), status == 200, "{what}: {told}");
            let told = told["error"]["code"].as_str().unwrap_or_default();
            assert!(if code == REFUSED.1 { told.starts_with(code) } else { told == code }, "{what}: {told}");
            if status == 200 {
                let pair = Pair::of(&reply);
                house.lax.me(&pair.access).expect(200);
                house.lax.renewed(&pair);
            }
        }
    }
}

fn m4_reauthentication_and_refresh_are_no_way_in(backend: Backend) {
    let house = House::start(backend);
    for state in STATES {
        let (service, enrolled) = (house.of(state), house.enrolled());
        let (account, pair) = (&enrolled.account, &enrolled.pair);
        let mut proof = json!({"password": account.password, "code": service.fresh_code(&enrolled)});
        match state {
            Plain | Required => {
                house.lax.remove_factor(&pair.access, &enrolled.factor).has_status(204);
                proof = json!({"password": account.password});
            }
            Trusted => {
                super::devices::remembered(service, &enrolled);
                proof["code"] = json!(service.fresh_code(&enrolled));
            }
            Locked => (0..5).for_each(|_| {
                let wrong = json!({"password": account.password, "code": enrolled.app.wrong()});
                service.reauthenticate(&pair.access, &wrong).wrong_credentials();
            }),
            Factor | Inactive | Unverified => {}
        }
        house.bring(account, state);
        let before = house.live_sessions(account);
        let reply = service.reauthenticate(&pair.access, &proof);
        assert!(reply.json().get("refresh_token").is_none(), "{state:?}: {}", reply.text());
        let expected = match state {
            Inactive => 401,
            Locked => 429,
            _ => 200,
        };
        assert_eq!(reply.status, expected, "{state:?}: {}", reply.text());
        let refreshed = service.refresh(&pair.refresh);
        let expected = match state {
            Inactive => 401,
            Unverified => 403,
            _ => 200,
        };
        assert_eq!(refreshed.status, expected, "{state:?}: {}", refreshed.text());
        assert_eq!(house.live_sessions(account), before, "{state:?}");
        for (token, body) in [("", &proof), (pair.refresh.as_str(), &proof)] {
            service.reauthenticate(token, body).invalid();
        }
    }
}

/// Returns whether a schema has a member of this name, at any depth.
fn has_member(document: &Value, schema: &Value, name: &str) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return has_member(
            document,
            &document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")).clone(),
            name,
        );
    }
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    let properties = schema["properties"].as_object();
    properties.is_some_and(|all| all.contains_key(name) || all.values().any(|one| has_member(document, one, name)))
        || parts.into_iter().any(|part| has_member(document, part, name))
}

fn m4_every_operation_that_hands_out_tokens_is_a_row(service: &Service) {
    let document = service.get("/openapi.json").expect(200);
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let responses = operation["responses"].as_object().into_iter().flatten();
            let successes = responses.filter(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
            let mut schemas = successes.map(|response| &response["content"]["application/json"]["schema"]);
            if schemas.any(|schema| has_member(&document, schema, "refresh_token")) {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let rows = WAYS.iter().map(|(operation, ..)| *operation).chain(GOES_ON);
    assert_eq!(found, rows.map(str::to_owned).collect(), "add the new way in to WAYS");
}
