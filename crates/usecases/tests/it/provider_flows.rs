//! The flow of a sign-in with a provider: what it is bound to, and what its end changes.

use crate::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{
    CodeChallenge, CodeVerifier, EmailFacts, FLOW_LIFETIME, Identity, IdentityId, IdentityKey, LinkingPolicy,
    ProviderKind, ProviderName, ProviderProfile, SIGN_IN_CODE_LIFETIME, SignInError, SignInSecret, TrustEmail,
};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_ports::{
    AuthorizationRequest, Clock, CodeCallback, IdentityProvider, NativeSignIn, ProviderError, StoreExt,
};
use portcullis_testkit::PlainSealer;
use portcullis_usecases::providers::{
    CallbackResponse, CodeExchange, CompleteSignIn, ExchangeCode, FlowRejection, Provider, ProviderCallback, Providers,
    ResolveAccount, SignInStart, StartSignIn, StartedFlow, UnlinkIdentity,
};
use portcullis_usecases::{Caller, Counted, UseCaseError};
use std::sync::{Arc, Mutex};

const ADA: &str = "ada@example.org";
const PAGES: &str = "https://auth.example.org/account/callback";

/// Provider at which the person of the profile signs in.
struct Stub {
    profile: Mutex<ProviderProfile>,
    requests: Mutex<Vec<AuthorizationRequest>>,
    callbacks: Mutex<Vec<CodeCallback>>,
}

impl IdentityProvider for Stub {
    fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, ProviderError> {
        self.requests.lock().unwrap().push(request.clone());
        Ok("https://id.example.org/authorize".to_owned())
    }

    fn redeem(&self, callback: &CodeCallback, _: DateTime<Utc>) -> Result<ProviderProfile, ProviderError> {
        self.callbacks.lock().unwrap().push(callback.clone());
        Ok(self.profile.lock().unwrap().clone())
    }

    fn verify_id_token(&self, _: &str, _: Option<&str>, _: DateTime<Utc>) -> Result<NativeSignIn, ProviderError> {
        Err(ProviderError::Rejected("no token".to_owned()))
    }
}

fn key(subject: &str) -> IdentityKey {
    IdentityKey::new("https://id.example.org", subject).unwrap()
}

fn person(subject: &str, email: &str) -> ProviderProfile {
    let facts = EmailFacts { email: Some(email.to_owned()), email_verified: true, ..EmailFacts::default() };
    ProviderProfile::from_facts(key(subject), (ProviderKind::Oidc, TrustEmail::Verified), &facts, false)
}

/// A world with one provider.
struct Flows {
    world: World,
    stub: Arc<Stub>,
    providers: Arc<Providers>,
}

/// End of a flow that the account pages began.
type Outcome = Result<CodeExchange, SignInError>;

impl Flows {
    fn new() -> Self {
        let profile = Mutex::new(person("1", ADA));
        let stub = Arc::new(Stub { profile, requests: Mutex::default(), callbacks: Mutex::default() });
        let provider = Provider {
            name: ProviderName::parse("corp").unwrap(),
            label: "Corp".to_owned(),
            kind: ProviderKind::Oidc,
            policy: LinkingPolicy::default(),
            second_factor: false,
            protocol: stub.clone(),
        };
        let public_url = "https://auth.example.org".to_owned();
        let providers = Arc::new(Providers { list: vec![provider], public_url, ..Providers::default() });
        Self { world: World::new(), stub, providers }
    }

    /// Begins a flow of the account pages, of an account that authenticates again or of anyone.
    fn begin(&self, again: Option<UserId>) -> StartedFlow {
        let start = StartSignIn {
            providers: self.providers.clone(),
            store: self.world.store.clone(),
            sealer: Arc::new(PlainSealer),
            entropy: self.world.issuance.entropy.clone(),
            clock: self.world.clock.clone(),
        };
        let input = SignInStart { again, ..of_app(PAGES, false) };
        start.store(start.prepare(&input, None, None).unwrap()).unwrap()
    }

    fn complete(&self) -> CompleteSignIn {
        let World { store, hasher, outbox, issuance, clock, .. } = self.world.clone();
        let (entropy, accounts) = (issuance.entropy.clone(), store.clone());
        let accounts =
            ResolveAccount { store: accounts, hasher, outbox, entropy: entropy.clone(), clock: clock.clone() };
        CompleteSignIn {
            providers: self.providers.clone(),
            accounts: Arc::new(accounts),
            store,
            sealer: Arc::new(PlainSealer),
            entropy,
            observer: Arc::new(()),
            clock,
        }
    }

    /// Returns from the provider in a browser with that cookie. `None` if it has no such flow.
    fn come_back(&self, flow: &StartedFlow, cookie: SignInSecret) -> Option<(Outcome, bool)> {
        let complete = self.complete();
        let callback =
            ProviderCallback { state: flow.state.expose(), code: Some("of corp".to_owned()), ..Default::default() };
        let opened = match complete.open("corp", &callback, &[cookie]) {
            Err(UseCaseError::Refused(FlowRejection)) => return None,
            opened => opened.unwrap(),
        };
        let redeemed = complete.redeem(&opened);
        match complete.finish(&opened, redeemed, &Caller::default()).unwrap() {
            CallbackResponse::Pages { outcome, is_again, .. } => Some((outcome, is_again)),
            CallbackResponse::Client(_) => None,
        }
    }

    fn run(&self, again: Option<UserId>) -> Outcome {
        let flow = self.begin(again);
        let (outcome, is_again) = self.come_back(&flow, flow.browser).unwrap();
        assert_eq!(is_again, again.is_some());
        outcome
    }

    fn exchange(&self, input: &CodeExchange) -> Result<UserId, ErrorCode> {
        let World { store, limits, clock, .. } = self.world.clone();
        let gate = self.world.verb().gate;
        let exchanged = ExchangeCode { store, gate, limits, clock }.run(input, &Caller::default());
        exchanged.map(|logged_in| logged_in.user_id).map_err(|error| error.code())
    }

    /// Links an identity of the provider to an account.
    fn link(&self, user_id: UserId, subject: &str) {
        let identity = Identity {
            id: IdentityId::from_random([subject.bytes().next().unwrap(); 16]),
            user_id,
            key: key(subject),
            provider: ProviderName::parse("corp").unwrap(),
            email: None,
            set_up_by: None,
            created_at: self.world.clock.now(),
            last_used_at: None,
        };
        assert!(self.world.store.write(|tx| tx.identities().insert(&identity)).unwrap());
    }

    fn account_with(&self, email: &str) -> bool {
        let email = EmailAddress::parse(email).unwrap();
        !self.world.store.read(|tx| tx.users().find_by_email(&email)).unwrap().is_empty()
    }
}

/// Creates the request of an app, which gets a code if it `asks_code`.
fn of_app(redirect_uri: &str, asks_code: bool) -> SignInStart {
    SignInStart {
        provider: "corp".to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        state: None,
        challenge: asks_code.then(|| CodeVerifier::from_random([7; 32]).challenge()),
        login_hint: None,
        prompt: None,
        again: None,
    }
}

#[test]
fn account_authenticates_again_as_itself_only() {
    let flows = Flows::new();
    let (ada, _) = flows.world.ada();
    flows.link(ada.id, "1");
    let eve = flows.world.register("eve@example.org", "correct horse").unwrap().0;
    flows.link(eve.id, "2");
    for other in [person("2", "eve@example.org"), person("3", "new@example.org"), person("4", ADA)] {
        *flows.stub.profile.lock().unwrap() = other.clone();
        assert_eq!(flows.run(Some(ada.id)).err(), Some(SignInError::OtherAccount), "{other:?}");
        let linked = flows.world.store.read(|tx| tx.identities().find(&other.key)).unwrap();
        assert_eq!(linked.map(|identity| identity.user_id), (other.key == key("2")).then_some(eve.id));
    }
    assert!(!flows.account_with("new@example.org"));
    assert!(flows.world.log_in(ADA, "correct horse").is_ok(), "the account was not reclaimed");
    *flows.stub.profile.lock().unwrap() = person("1", "else@example.org");
    assert_eq!(flows.exchange(&flows.run(Some(ada.id)).ok().unwrap()), Ok(ada.id));
}

#[test]
fn flow_is_bound_to_its_browser_and_time_and_works_once() {
    let flows = Flows::new();
    let flow = flows.begin(None);
    assert!(flows.come_back(&flow, SignInSecret::from_random([9; 32])).is_none());
    assert!(flows.stub.callbacks.lock().unwrap().is_empty());
    assert!(flows.come_back(&flow, flow.browser).unwrap().0.is_ok(), "another browser spends nothing");
    assert_eq!(flows.come_back(&flow, flow.browser).unwrap().0.err(), Some(SignInError::FlowExpired));
    for (late, expired) in [(TimeDelta::seconds(1), false), (TimeDelta::zero(), true)] {
        let flow = flows.begin(None);
        flows.world.pass(FLOW_LIFETIME - late);
        let outcome = flows.come_back(&flow, flow.browser).unwrap().0;
        assert_eq!(outcome.err(), expired.then_some(SignInError::FlowExpired));
    }
}

#[test]
fn provider_gets_the_challenge_and_nonce_of_its_callback() {
    let flows = Flows::new();
    for _ in 0..2 {
        flows.run(None).ok().unwrap();
    }
    let (requests, callbacks) = (flows.stub.requests.lock().unwrap(), flows.stub.callbacks.lock().unwrap());
    for (request, callback) in requests.iter().zip(&*callbacks) {
        assert!(CodeChallenge::parse(&request.code_challenge).unwrap().verify(&callback.code_verifier));
        assert_eq!((&request.nonce, &request.redirect_uri), (&callback.nonce, &callback.redirect_uri));
        assert_eq!(callback.redirect_uri, "https://auth.example.org/auth/providers/corp/callback");
    }
    let [first, second] = &**requests else { panic!("{requests:?}") };
    assert!(first.nonce != second.nonce && first.code_challenge != second.code_challenge);
}

#[test]
fn code_works_once_for_a_minute_with_its_verifier_and_address() {
    type Change = fn(&mut CodeExchange, String);
    let code = |flows: &Flows| flows.run(None).ok().unwrap();
    let other = CodeVerifier::from_random([9; 32]).expose().to_owned();
    let cases: [(&str, Change); 2] = [
        ("verifier", |input, other| input.code_verifier = other),
        ("redirect_uri", |input, _| input.redirect_uri.push('/')),
    ];
    for (what, change) in cases {
        let flows = Flows::new();
        let (good, mut bad) = (code(&flows), code(&flows));
        change(&mut bad, other.clone());
        assert_eq!(flows.exchange(&bad), Err(ErrorCode::TokenInvalid), "{what}");
        assert_eq!(flows.exchange(&bad), Err(ErrorCode::TokenRevoked), "{what} spends it");
        assert!(flows.exchange(&good).is_ok(), "{what}");
        assert_eq!(flows.exchange(&good), Err(ErrorCode::TokenRevoked), "a second use");
    }
    for (late, outcome) in [(TimeDelta::seconds(1), None), (TimeDelta::zero(), Some(ErrorCode::TokenExpired))] {
        let flows = Flows::new();
        let input = code(&flows);
        flows.world.pass(SIGN_IN_CODE_LIFETIME - late);
        assert_eq!(flows.exchange(&input).err(), outcome);
    }
}

#[test]
fn identity_of_a_disabled_account_signs_no_one_in() {
    let flows = Flows::new();
    let (ada, _) = flows.world.ada();
    flows.link(ada.id, "1");
    let input = flows.run(None).ok().unwrap();
    assert!(flows.world.store.write(|tx| tx.users().set_active(ada.id, false)).unwrap());
    assert_eq!(flows.run(None).err(), Some(SignInError::AccountDisabled));
    assert!(flows.exchange(&input).is_err(), "a code from before");
}

#[test]
fn unlinked_identity_leaves_no_code() {
    let flows = Flows::new();
    let (ada, pair) = flows.world.ada();
    flows.link(ada.id, "1");
    let input = flows.run(None).ok().unwrap();
    let World { store, ceremonies: passkeys, outbox, .. } = flows.world.clone();
    let unlink = UnlinkIdentity { store, step_up: flows.world.step_up(), passkeys, outbox };
    let session = flows.world.authenticate(&pair.access_token).unwrap();
    unlink.run(&session, IdentityId::from_random([b'1'; 16]), &Caller::default()).unwrap();
    assert_eq!(flows.exchange(&input), Err(ErrorCode::TokenInvalid));
}
