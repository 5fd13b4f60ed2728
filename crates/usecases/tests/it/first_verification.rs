//! What the browser that first verifies an email address keeps.

use crate::mail_fixtures::shown;
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::mfa::{TrustedDevice, TrustedDeviceId};
use portcullis_domain::passkeys::Passkey;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, DeviceHash, Session, SessionId};
use portcullis_ports::{Clock, StoreExt};
use portcullis_usecases::Caller;
use portcullis_usecases::verification::EmailVerification;

impl World {
    /// Adds a passkey that a session set up.
    fn add_passkey_by(&self, user_id: UserId, number: u8, set_up_by: Option<SessionId>) {
        self.add_passkey(user_id, number, false);
        let replaced = self.store.write(|tx| {
            let added = tx.passkeys().list(user_id)?.pop().unwrap();
            tx.passkeys().remove(user_id, &added.id)?;
            tx.passkeys().insert(&Passkey { set_up_by, ..added })
        });
        assert!(replaced.unwrap());
    }

    /// Returns the numbers of the passkeys that are left.
    fn passkeys_left(&self, user_id: UserId) -> Vec<u8> {
        let listed = self.store.read(|tx| tx.passkeys().list(user_id)).unwrap();
        listed.iter().filter_map(|passkey| passkey.credential_id.as_bytes().first().copied()).collect()
    }

    fn session_row(&self, id: SessionId) -> Session {
        self.store.read(|tx| tx.sessions().find(id)).unwrap().unwrap()
    }

    fn trust(&self, user_id: UserId, number: u8, device: DeviceHash) {
        let (id, now) = (TrustedDeviceId::from_random([number; 16]), self.clock.now());
        let client = ClientInfo::default();
        let trusted =
            TrustedDevice { id, user_id, device, client, created_at: now, expires_at: now + TimeDelta::days(9) };
        self.store.write(|tx| tx.factors().trust(&trusted)).unwrap();
    }
}

#[test]
fn a_browser_keeps_what_its_sessions_set_up() {
    let world = World::new();
    let (user, _) = world.ada();
    let token = world.mailed();
    let log_in = |device| world.verb().run(&login("ada@example.org", "correct horse"), &with(device)).unwrap();
    let first = log_in(None);
    let second = log_in(Some(first.cookie.clone()));
    let other = log_in(None);
    for (number, set_up_by) in [
        (1, Some(first.session_id)),
        (2, Some(second.session_id)),
        (3, Some(other.session_id)),
        (4, Some(SessionId::from_random([9; 16]))),
    ] {
        world.add_passkey_by(user.id, number, set_up_by);
    }
    world.add_passkey_by(user.id, 5, None);
    let devices = [&first, &other].map(|one| world.session_row(one.session_id).device.unwrap());
    world.trust(user.id, 1, devices[0]);
    world.trust(user.id, 2, devices[1]);
    world.verify_from(&token, Some(&second.pair), None).unwrap();
    assert_eq!(world.passkeys_left(user.id), [1, 2, 5]);
    let trusted = world.store.read(|tx| tx.factors().trusted_devices(user.id, world.clock.now())).unwrap();
    assert_eq!(trusted.iter().map(|one| one.device).collect::<Vec<_>>(), [devices[0]]);
}

/// Sessions that the FastAPI application began have no device.
#[test]
fn a_session_without_a_device_keeps_its_own_alone() {
    let world = World::new();
    let (user, pair) = world.ada();
    let token = world.mailed();
    let bare = |number| Session::begin(SessionId::from_random([number; 16]), user.id, world.clock.now());
    let (own, other) = (bare(1), bare(2));
    for session in [&own, &other] {
        world.store.write(|tx| tx.sessions().begin(session, &ClientInfo::default())).unwrap();
    }
    world.add_passkey_by(user.id, 1, Some(own.id));
    world.add_passkey_by(user.id, 2, Some(other.id));
    let mut bearer = world.authenticate(&pair.access_token).unwrap();
    bearer.session_id = Some(own.id);
    let input = EmailVerification { bearer: Some(bearer), ..shown(&token) };
    world.verifying(world.store.clone()).run(input, &Caller::default()).unwrap();
    assert_eq!(world.passkeys_left(user.id), [1]);
}
