//! Stored secrets move to the current key, page by page, and none is lost.

use crate::world::World;
use chrono::DateTime;
use portcullis_domain::mfa::{FactorId, FactorName, SealedSecret, TimeStep, TotpFactor, sealing_context};
use portcullis_ports::{Clock, Opened, RowCursor, SealError, Sealer, Store, StoreError, StoreExt};
use portcullis_testkit::{FixedClock, MemoryStore};
use portcullis_usecases::maintenance::{BatchStep, Reencrypt, SecretCounts};
use std::sync::Arc;

/// Writes the number of the key before the context and the value. The first key is the current one.
struct NumberedKeys(&'static [u8]);

impl Sealer for NumberedKeys {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok([&[*self.0.first().unwrap()], context, plain].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Opened, SealError> {
        let (key, rest) = sealed.split_first().ok_or(SealError::Damaged)?;
        let number = self.0.iter().position(|known| known == key).ok_or(SealError::UnknownKey)?;
        let plain = rest.strip_prefix(context).ok_or(SealError::Damaged)?.to_vec().into();
        Ok(Opened { plain, is_current: number == 0 })
    }
}

const SECRETS: u8 = 250;

fn id(number: u8) -> FactorId {
    FactorId::from_random([number; 16])
}

/// A store with secrets of the keys 1 and 2 in turn.
fn filled() -> Arc<MemoryStore> {
    let world = World::new();
    let (ada, now) = (world.ada().0, world.clock.now());
    for number in 0..SECRETS {
        let key = NumberedKeys(if number % 2 == 0 { &[1] } else { &[2] });
        let secret = SealedSecret::new(key.seal(&sealing_context(&id(number)), &[number]).unwrap());
        let factor = TotpFactor::new(id(number), ada.id, FactorName::default(), secret, now);
        let added = world.store.write(|tx| {
            tx.factors().replace_pending(&factor)?;
            tx.factors().confirm_totp(ada.id, &factor.id, TimeStep::at(now), now)
        });
        assert!(added.unwrap());
    }
    world.store.clone()
}

fn with_keys(store: Arc<dyn Store>, keys: &'static [u8]) -> Reencrypt {
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    Reencrypt { store, sealer: Arc::new(NumberedKeys(keys)), clock }
}

#[test]
fn every_secret_moves_to_the_current_key_and_closed_ones_stay() {
    let store = filled();
    let counts = |keys| with_keys(store.clone(), keys).count(&mut || true).unwrap();
    let half = u64::from(SECRETS) / 2;
    let partly = SecretCounts { current: 0, earlier: half, closed: half };
    assert_eq!(counts(&[3, 1]), partly);
    let mut steps = Vec::new();
    let mut watch = |step: BatchStep| {
        steps.push(step.rows);
        true
    };
    assert_eq!(with_keys(store.clone(), &[3, 1]).run(&mut watch).unwrap(), partly);
    assert_eq!(steps, [50, 100, half]);
    assert_eq!(counts(&[3, 1]), SecretCounts { current: half, earlier: 0, closed: half });
    assert_eq!(with_keys(store.clone(), &[3, 2]).run(&mut |_| true).unwrap().earlier, half);
    assert_eq!(counts(&[3]), SecretCounts { current: 2 * half, ..SecretCounts::default() });
    let rows = store.read(|tx| tx.factors().sealed_secrets(RowCursor::FIRST, 1000)).unwrap();
    for (number, (_, factor, sealed)) in (0..SECRETS).zip(rows) {
        assert_eq!(factor, id(number));
        assert_eq!(*NumberedKeys(&[3]).open(&sealing_context(&factor), sealed.as_bytes()).unwrap().plain, [number]);
    }
}

#[test]
fn a_run_that_stops_or_fails_keeps_what_it_moved() {
    let store = filled();
    assert_eq!(with_keys(store.clone(), &[3, 1, 2]).run(&mut |_| false).unwrap().earlier, 100);
    let counts = with_keys(store.clone(), &[3, 1, 2]).count(&mut || true).unwrap();
    assert_eq!(counts, SecretCounts { current: 100, earlier: 150, closed: 0 });
    store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    assert!(with_keys(store.clone(), &[3, 1, 2]).run(&mut |_| true).is_err());
    store.set_outage(None);
    assert_eq!(with_keys(store, &[3, 1, 2]).count(&mut || true).unwrap(), counts);
}
