//! Accounts with identities of providers: what ends the identities, and what replaces the password.

use crate::addresses::on_the_way;
use crate::mail_fixtures::{entered, new_password, reset_of, told};
use crate::verification::is_in;
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Method};
use portcullis_domain::mail::Occasion;
use portcullis_domain::passkeys::{
    Aaguid, Algorithm, AuthenticatorFlags, CredentialId, Passkey, PasskeyId, default_name,
};
use portcullis_domain::providers::{
    Identity, IdentityId, IdentityKey, ProviderName, SignInCode, SignInCodeDigest, SignInSecret,
};
use portcullis_domain::registration::{EmailAddress, PasswordHash, UserId};
use portcullis_domain::sessions::SessionId;
use portcullis_domain::verification::OneTimeToken;
use portcullis_ports::{Clock, StoreError, StoreExt};
use portcullis_usecases::login::OwnerProof;
use portcullis_usecases::recovery::{ChangePassword, PasswordChange, PasswordReset};
use portcullis_usecases::registration::{OwnAccountDeletion, VouchForEmail};
use portcullis_usecases::tokens::{Authenticated, TokenPair};
use portcullis_usecases::verification::{EmailChangeRequest, RequestEmailChange};
use portcullis_usecases::{Caller, Counted};

const ADA: &str = "ada@example.org";
const NEW: &str = "new@example.org";

fn code() -> SignInCodeDigest {
    SignInCodeDigest::from(&SignInSecret::from_random([2; 32]))
}

/// Links an identity, and stores the code of a sign-in with it.
fn link(world: &World, user_id: UserId) {
    let identity = Identity {
        id: IdentityId::from_random([1; 16]),
        user_id,
        key: IdentityKey::new("https://id.example.org", "248289761001").unwrap(),
        provider: ProviderName::parse("corp").unwrap(),
        email: None,
        set_up_by: None,
        created_at: world.clock.now(),
        last_used_at: None,
    };
    let code = SignInCode {
        digest: code(),
        user_id,
        session_id: SessionId::from_random([3; 16]),
        challenge: [4; 32],
        redirect_uri: "https://app.example.org/".to_owned(),
        multi_factor: false,
        page_session: None,
        expires_at: world.clock.now() + TimeDelta::seconds(60),
        used_at: None,
    };
    let linked = world.store.write(|tx| {
        tx.sign_ins().insert_code(&code)?;
        tx.identities().insert(&identity)
    });
    assert!(linked.unwrap());
}

impl World {
    /// Adds a passkey, as its registration does.
    pub(crate) fn add_passkey(&self, user_id: UserId, number: u8, second_factor: bool) {
        let passkey = Passkey {
            id: PasskeyId::from_random([number; 16]),
            user_id,
            credential_id: CredentialId::new(vec![number]).unwrap(),
            public_key: Vec::new(),
            algorithm: Algorithm::Es256,
            rp_id: "example.org".to_owned(),
            counter: 0,
            flags: AuthenticatorFlags(5),
            discoverable: !second_factor,
            aaguid: Aaguid([0; 16]),
            transports: Vec::new(),
            name: default_name(),
            second_factor,
            set_up_by: None,
            created_at: self.clock.now(),
            last_used_at: None,
        };
        let read = self.owner(user_id).credentials;
        let credentials = if second_factor { read.clone().marked() } else { read.clone() };
        let added = self.store.write(|tx| {
            assert!(tx.credentials().replace(user_id, &read, &credentials)?);
            tx.passkeys().insert(&passkey)
        });
        assert!(added.unwrap());
    }

    /// Returns which passkeys of an account are second factors, oldest first.
    pub(crate) fn passkeys(&self, user_id: UserId) -> Vec<bool> {
        let listed = self.store.read(|tx| tx.passkeys().list(user_id)).unwrap();
        listed.into_iter().map(|passkey| passkey.second_factor).collect()
    }
}

/// Returns whether the identity and the code are there.
fn left(world: &World, user_id: UserId) -> (bool, bool) {
    let read = world.store.read(|tx| {
        Ok::<_, StoreError>((!tx.identities().list(user_id)?.is_empty(), tx.sign_ins().code(&code())?.is_some()))
    });
    read.unwrap()
}

/// Another person may have set them up, and signs in with them whatever the account's address is. Only the first
/// verification removes the passkey that is a second factor.
#[test]
fn identities_and_passkeys_end_when_an_address_is_claimed_without_a_session() {
    type Redeem = fn(&World, &TokenPair, &OneTimeToken);
    let table: [(&str, bool, Redeem, Option<&str>); 10] = [
        ("verify", false, |world, _, link| drop(world.verify(link).unwrap()), Some(ADA)),
        ("verify by password", false, |world, _, link| drop(world.confirm(link).unwrap()), Some(ADA)),
        ("verify by session", false, |world, ada, link| drop(world.verify_from(link, Some(ada), None).unwrap()), None),
        ("verify by an operator", false, |world, ada, _| vouch(world, ada), None),
        ("reset", false, |world, _, _| reset(world, false), Some(ADA)),
        ("reset, verified", true, |world, _, _| reset(world, false), None),
        ("reset with removal", true, |world, _, _| reset(world, true), Some(ADA)),
        ("change", true, |world, ada, _| drop(world.verify(&on_the_way(world, ada, NEW)).unwrap()), Some(NEW)),
        ("change by session", true, |world, ada, _| move_to_new(world, ada), None),
        (
            "undo",
            true,
            |world, ada, _| {
                move_to_new(world, ada);
                drop(world.confirm(&world.mailed()).unwrap());
            },
            Some(ADA),
        ),
    ];
    for (what, is_verified, redeem, notified) in table {
        let world =
            World::new().noticing(&[Occasion::IdentityUnlinked, Occasion::PasskeyRemoved, Occasion::EmailChanged]);
        let (user, pair) = world.ada();
        let token = world.mailed();
        if is_verified {
            world.verify_from(&token, Some(&pair), None).unwrap();
        }
        link(&world, user.id);
        world.add_passkey(user.id, 1, false);
        world.add_passkey(user.id, 2, true);
        redeem(&world, &pair, &token);
        assert_eq!(left(&world, user.id), (notified.is_none(), notified.is_none()), "{what}");
        let passkeys: &[bool] = match notified {
            None => &[false, true],
            Some(_) if is_verified => &[true],
            Some(_) => &[],
        };
        assert_eq!(world.passkeys(user.id), passkeys, "{what}");
        assert_eq!(world.owner(user.id).credentials.is_marked(), !passkeys.is_empty(), "{what}");
        let mut sent = world.deliver();
        sent.retain(|(occasion, _)| matches!(occasion.as_str(), "identity_unlinked" | "passkey_removed"));
        let due = ["identity_unlinked", "passkey_removed"].map(|occasion| notified.map(|to| told(occasion, to)));
        assert_eq!(sent, Vec::from_iter(due.into_iter().flatten()), "{what}");
    }
}

fn vouch(world: &World, ada: &TokenPair) {
    let user = world.authenticate(&ada.access_token).unwrap().user;
    let verb = VouchForEmail { store: world.store.clone(), clock: world.clock.clone() };
    assert!(verb.run(user.id, &user.email).unwrap().changed);
}

fn reset(world: &World, remove_others: bool) {
    world.forgot(ADA).unwrap();
    let input = PasswordReset { remove_others, ..reset_of(&world.mailed(), "battery staple") };
    world.resetting().run(&input, &Caller::default()).unwrap();
}

fn move_to_new(world: &World, ada: &TokenPair) {
    world.verify_from(&on_the_way(world, ada, NEW), Some(ada), None).unwrap();
}

/// Removes the password of a session's account, as if the session had begun with a provider.
fn federate(world: &World, pair: &TokenPair) -> Authenticated {
    let session = world.authenticate(&pair.access_token).unwrap();
    let (id, session_id) = (session.user.id, session.session_id.unwrap());
    let stored = world.owner(id).credentials;
    let none = stored.clone().with_password_removed(PasswordHash::new("new:random".to_owned()));
    let by = Authentication::new(Method::Federated.into(), world.clock.now());
    let removed = world.store.write(|tx| {
        assert!(tx.sessions().reauthenticate(session_id, &by)?);
        tx.credentials().replace(id, &stored, &none)
    });
    assert!(removed.unwrap());
    session
}

type Outcome = Result<(), ErrorCode>;

/// Calls that need the password of an account that has one.
const CALLS: [fn(&World, Authenticated, OwnerProof) -> Outcome; 3] = [
    |world, owner, current| {
        let (screening, outbox, clock) = (world.screening.clone(), world.outbox.clone(), world.clock.clone());
        let verb = ChangePassword { reauthentication: world.owners(), screening, outbox, clock };
        let input = PasswordChange { owner, current, new: new_password("battery staple") };
        verb.run(&input, &Caller::default()).map(drop).map_err(|error| error.code())
    },
    |world, owner, password| {
        let (tokens, outbox, clock) = (world.one_time.clone(), world.outbox.clone(), world.clock.clone());
        let verb = RequestEmailChange { reauthentication: world.owners(), tokens, outbox, clock };
        let input = EmailChangeRequest { owner, password, new_email: EmailAddress::parse(NEW).unwrap() };
        verb.run(&input, &Caller::default()).map(drop).map_err(|error| error.code())
    },
    |world, owner, password| {
        let deleted = world.leaving().run(&OwnAccountDeletion { owner, password }, &Caller::default());
        deleted.map(drop).map_err(|error| error.code())
    },
];

#[test]
fn account_without_password_needs_a_recent_session_instead() {
    for (number, call) in CALLS.into_iter().enumerate() {
        let attempt = |late: i64, ends: bool, proof: OwnerProof| {
            let world = World::new();
            let (_, pair) = world.ada();
            let session = federate(&world, &pair);
            world.pass(TimeDelta::seconds(late));
            if ends {
                world.log_out(&pair.refresh_token).unwrap();
            }
            call(&world, session, proof)
        };
        assert_eq!(attempt(600, false, OwnerProof::RecentSession), Ok(()), "{number}");
        assert_eq!(attempt(601, false, OwnerProof::RecentSession), Err(ErrorCode::StepUpRequired), "{number}");
        assert_eq!(attempt(0, true, OwnerProof::RecentSession), Err(ErrorCode::TokenRevoked), "{number}");
        assert_eq!(attempt(0, false, entered("correct horse")), Err(ErrorCode::InvalidCredentials), "{number}");
    }
}

#[test]
fn account_with_password_needs_it_in_a_recent_session_too() {
    for call in CALLS {
        let world = World::new();
        let (_, pair) = world.ada();
        let session = world.authenticate(&pair.access_token).unwrap();
        assert_eq!(call(&world, session, OwnerProof::RecentSession), Err(ErrorCode::InvalidCredentials));
    }
}

#[test]
fn first_password_ends_other_sessions() {
    let world = World::new();
    let (_, here) = world.ada();
    let there = world.log_in(ADA, "correct horse").unwrap().pair;
    let owner = federate(&world, &here);
    let id = owner.user.id;
    CALLS[0](&world, owner, OwnerProof::RecentSession).unwrap();
    assert!(world.owner(id).credentials.has_password() && is_in(&world, &here) && !is_in(&world, &there));
    assert!(world.log_in(ADA, "battery staple").is_ok());
}
