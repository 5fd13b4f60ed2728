//! Accounts with identities of providers: what ends the identities, and what replaces the password.

use crate::addresses::on_the_way;
use crate::mail_fixtures::{reset_of, told};
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::mail::Occasion;
use portcullis_domain::providers::{
    Identity, IdentityId, IdentityKey, ProviderName, SignInCode, SignInCodeDigest, SignInSecret,
};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_domain::verification::OneTimeToken;
use portcullis_ports::{Clock, StoreError, StoreExt};
use portcullis_usecases::Caller;
use portcullis_usecases::recovery::PasswordReset;
use portcullis_usecases::tokens::TokenPair;

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
        expires_at: world.clock.now() + TimeDelta::seconds(60),
        used_at: None,
    };
    let linked = world.store.write(|tx| {
        tx.sign_ins().insert_code(&code)?;
        tx.identities().insert(&identity)
    });
    assert!(linked.unwrap());
}

/// Returns whether the identity and the code are there.
fn left(world: &World, user_id: UserId) -> (bool, bool) {
    let read = world.store.read(|tx| {
        Ok::<_, StoreError>((!tx.identities().list(user_id)?.is_empty(), tx.sign_ins().code(&code())?.is_some()))
    });
    read.unwrap()
}

/// Another person may have linked the identity, and signs in with it whatever the account's address is.
#[test]
fn identities_end_when_an_address_is_claimed_without_a_session() {
    type Redeem = fn(&World, &TokenPair, &OneTimeToken);
    let table: [(&str, bool, Redeem, Option<&str>); 9] = [
        ("verify", false, |world, _, link| drop(world.verify(link).unwrap()), Some(ADA)),
        ("verify by password", false, |world, _, link| drop(world.confirm(link).unwrap()), Some(ADA)),
        ("verify by session", false, |world, ada, link| drop(world.verify_from(link, Some(ada), None).unwrap()), None),
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
        let world = World::new().noticing(&[Occasion::IdentityUnlinked, Occasion::EmailChanged]);
        let (user, pair) = world.ada();
        let token = world.mailed();
        if is_verified {
            world.verify_from(&token, Some(&pair), None).unwrap();
        }
        link(&world, user.id);
        redeem(&world, &pair, &token);
        assert_eq!(left(&world, user.id), (notified.is_none(), notified.is_none()), "{what}");
        let mut sent = world.deliver();
        sent.retain(|(occasion, _)| occasion == "identity_unlinked");
        assert_eq!(sent, Vec::from_iter(notified.map(|to| told("identity_unlinked", to))), "{what}");
    }
}

fn reset(world: &World, remove_others: bool) {
    world.forgot(ADA).unwrap();
    let input = PasswordReset { remove_others, ..reset_of(&world.mailed(), "battery staple") };
    world.resetting().run(&input, &Caller::default()).unwrap();
}

fn move_to_new(world: &World, ada: &TokenPair) {
    world.verify_from(&on_the_way(world, ada, NEW), Some(ada), None).unwrap();
}
