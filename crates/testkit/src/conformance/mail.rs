//! Conformance of stores: the outbox keeps an email until it is sent or dead, and only one sender at a
//! time holds its lease.

use super::prelude::*;
use std::collections::BTreeSet;

/// Number of emails in the race of senders.
const MANY: u32 = 1_000;

pub fn a_mail_is_kept_until_it_is_settled(store: &dyn Store) -> Outcome {
    let order = NewMail { created_at: at(0) + TimeDelta::nanoseconds(999), ..order("ada@example.com", 0) };
    enqueue(store, &order)?;
    let listed = list(store)?;
    let id = id_of(&listed);
    let kept = QueuedMail {
        id,
        mail: NewMail { created_at: at(0), ..order },
        tries: 0,
        token_issued: false,
        due_at: at(0),
        dead_at: None,
        last_error: None,
    };
    assert_eq!(listed, std::slice::from_ref(&kept));
    let taken = QueuedMail { tries: 1, due_at: at(90), ..kept };
    assert_eq!(take(store, 0)?, Some(taken.clone()));
    assert_eq!(list(store)?, [taken]);
    store.write(|tx| tx.outbox().mark_token_issued(id))?;
    assert_eq!(list(store)?.first().map(|mail| mail.token_issued), Some(true));
    assert!(remove(store, id, 1)?);
    assert!(!remove(store, id, 1)?);
    assert_eq!((list(store)?, take(store, 900)?), (Vec::new(), None));
    Ok(())
}

pub fn every_kind_of_mail_survives_as_it_is(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut orders = Vec::new();
    for (number, occasion) in (0..).zip(Occasion::ALL) {
        for language in Language::ALL {
            let seed = TokenSeed::from_random([number; 32]);
            orders.push(NewMail { occasion, language, seed, user_id: Some(user.id), ..order("ada@example.com", 0) });
        }
    }
    let password = Some(PasswordVersion::new([0x80; 32]));
    orders.push(NewMail { password, ..order("ada@example.com", 0) });
    for address in ["Ada.Lovelace@example.com", "heidi@müller.example", "o'hara%_\\\"--@example.com"] {
        orders.push(NewMail { client: ClientInfo::default(), ..order(address, 0) });
    }
    orders.iter().try_for_each(|order| enqueue(store, order))?;
    let listed: Vec<_> = list(store)?.into_iter().map(|mail| mail.mail).collect();
    assert_eq!(listed, orders);
    let spelled = |orders: &[NewMail]| orders.iter().map(|order| order.to.original().to_owned()).collect::<Vec<_>>();
    assert_eq!(spelled(&listed), spelled(&orders));
    let nobodys = NewMail { user_id: Some(UserId::new(user.id.get() + 1)), ..order("ada@example.com", 0) };
    assert!(enqueue(store, &nobodys).is_err(), "there is no such account");
    Ok(())
}

pub fn mails_follow_a_password_that_is_hashed_anew(store: &dyn Store) -> Outcome {
    let version = |byte: u8| PasswordVersion::new([byte; 32]);
    let bound = [Some(version(1)), Some(version(2)), None, Some(version(1))];
    for password in bound {
        enqueue(store, &NewMail { password, ..order("ada@example.com", 0) })?;
    }
    store.write(|tx| tx.outbox().rebind(&version(1), &version(3)))?;
    let rebound: Vec<_> = list(store)?.into_iter().map(|mail| mail.mail.password).collect();
    assert_eq!(rebound, [Some(version(3)), Some(version(2)), None, Some(version(3))]);
    let taken = take(store, 0)?.map(|mail| mail.mail.password);
    assert_eq!(taken, Some(Some(version(3))), "whoever takes it sees it");
    Ok(())
}

pub fn mails_are_taken_in_the_order_in_which_they_are_due(store: &dyn Store) -> Outcome {
    for (address, seconds) in [("a@x.org", 20), ("b@x.org", 10), ("c@x.org", 20), ("d@x.org", 30)] {
        enqueue(store, &order(address, seconds))?;
    }
    assert_eq!(store.write(|tx| tx.outbox().claim_next(at(10) - TimeDelta::microseconds(1), at(99)))?, None);
    let mut taken = Vec::new();
    while let Some(mail) = take(store, 29)? {
        taken.push(mail.mail.to.original().to_owned());
    }
    assert_eq!(taken, ["b@x.org", "a@x.org", "c@x.org"]);
    assert_eq!(take(store, 30)?.map(|mail| mail.mail.to), Some(email("d@x.org")));
    Ok(())
}

pub fn a_mail_is_somebodys_alone_until_its_lease_is_over(store: &dyn Store) -> Outcome {
    enqueue(store, &order("ada@example.com", 0))?;
    assert_eq!(take(store, 0)?.map(|mail| mail.tries), Some(1));
    let before = at(90) - TimeDelta::microseconds(1);
    assert_eq!(store.write(|tx| tx.outbox().claim_next(before, at(999)))?, None);
    assert_eq!(take(store, 90)?.map(|mail| (mail.tries, mail.due_at)), Some((2, at(180))));
    Ok(())
}

pub fn whoever_lost_a_mail_settles_it_no_more(store: &dyn Store) -> Outcome {
    enqueue(store, &order("ada@example.com", 0))?;
    take(store, 0)?;
    let held = take(store, 90)?;
    let id = id_of(&list(store)?);
    for stale in [0, 1, 3, u32::MAX] {
        assert!(!remove(store, id, stale)? && !postpone(store, id, stale, 5)? && !bury(store, id, stale, 5)?);
    }
    assert_eq!(list(store)?.first(), held.as_ref(), "nothing changed");
    assert!(postpone(store, id, 2, 300)?);
    let put_off = list(store)?;
    let told = put_off.first().map(|mail| (mail.tries, mail.due_at, mail.last_error.as_deref()));
    assert_eq!(told, Some((2, at(300), Some("it's the server's \"fault\""))));
    assert_eq!(take(store, 299)?, None);
    assert_eq!(take(store, 300)?.map(|mail| mail.tries), Some(3));
    let nobody = MailId(i64::MAX);
    assert!(!remove(store, nobody, 3)? && !postpone(store, nobody, 3, 5)? && !bury(store, nobody, 3, 5)?);
    store.write(|tx| tx.outbox().mark_token_issued(nobody))
}

pub fn a_mail_that_was_given_up_is_kept_and_can_be_tried_anew(store: &dyn Store) -> Outcome {
    enqueue(store, &order("ada@example.com", 0))?;
    take(store, 0)?;
    let id = id_of(&list(store)?);
    store.write(|tx| tx.outbox().mark_token_issued(id))?;
    assert!(bury(store, id, 1, 50)?);
    assert!(!remove(store, id, 1)? && !postpone(store, id, 1, 60)? && !bury(store, id, 1, 60)?, "it is settled");
    let told = list(store)?.pop().map(|mail| (mail.dead_at, mail.last_error, mail.token_issued));
    assert_eq!(told, Some((Some(at(50)), Some("it's the server's \"fault\"".to_owned()), true)));
    assert_eq!(take(store, 9_999)?, None);
    let retry = |id| store.write(|tx| tx.outbox().retry(id, at(500)));
    assert!(retry(id)?);
    assert!(!retry(MailId(id.0 + 1))?, "there is none");
    let order = NewMail { created_at: at(500), ..order("ada@example.com", 0) };
    let (tries, due_at) = (0, at(500));
    let anew = QueuedMail { id, mail: order, tries, token_issued: false, due_at, dead_at: None, last_error: None };
    assert_eq!(list(store)?, [anew], "as if it had been caused now: its token is made again as well");
    assert_eq!(take(store, 499)?, None);
    assert_eq!(take(store, 500)?.map(|mail| mail.tries), Some(1));
    assert!(retry(id)?, "one that waits as well");
    Ok(())
}

pub fn mails_are_listed_by_number_and_counted_up_to_a_bound(store: &dyn Store) -> Outcome {
    assert_eq!(load(store, 9)?, OutboxCounts::default());
    for number in 0..5 {
        enqueue(store, &order(&format!("n{number}@x.org"), -number))?;
    }
    let all = list(store)?;
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by_key(|mail| mail.id));
    let page = |after, limit| store.read(|tx| tx.outbox().list(after, limit));
    assert_eq!(page(None, 2)?.as_slice(), all.get(..2).unwrap_or_default());
    assert_eq!(page(all.get(1).map(|mail| mail.id), 9)?.as_slice(), all.get(2..).unwrap_or_default());
    assert_eq!((page(None, 0)?, page(Some(MailId(i64::MAX)), 9)?), (Vec::new(), Vec::new()));
    for _ in 0..2 {
        let dead = take(store, 5)?.map(|mail| bury(store, mail.id, 1, 6));
        assert_eq!(dead, Some(Ok(true)));
    }
    assert_eq!(load(store, 9)?, OutboxCounts { waiting: 3, dead: 2 });
    assert_eq!(load(store, 2)?, OutboxCounts { waiting: 2, dead: 2 });
    assert_eq!(load(store, 1)?, OutboxCounts { waiting: 1, dead: 1 });
    assert_eq!(list(store)?.len(), 5, "given up or not");
    let verify = NewMail { occasion: Occasion::VerifyEmail, ..order("verify@x.org", 0) };
    enqueue(store, &verify)?;
    let by_occasion = |limit| store.read(|tx| tx.outbox().count_by_occasion(limit));
    let mut counts = by_occasion(9)?;
    counts.sort_unstable_by_key(|(_, count)| *count);
    assert_eq!(counts, [(Occasion::VerifyEmail, 1), (Occasion::ResetPassword, 3)]);
    assert_eq!(by_occasion(2)?.iter().map(|(_, count)| count).sum::<u64>(), 2);
    Ok(())
}

pub fn the_mails_of_an_account_are_forgotten_with_it(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let of = |user: &User| NewMail { user_id: Some(user.id), ..order("ada@example.com", 0) };
    for order in [of(&ada), of(&bob), of(&ada), order("ada@example.com", 0)] {
        enqueue(store, &order)?;
    }
    store.write(|tx| tx.outbox().delete_for_user(ada.id))?;
    let left: Vec<_> = list(store)?.into_iter().map(|mail| mail.mail.user_id).collect();
    assert_eq!(left, [Some(bob.id), None]);
    Ok(())
}

pub fn mails_that_were_given_up_long_ago_are_deleted(store: &dyn Store) -> Outcome {
    for number in 0..5 {
        enqueue(store, &order(&format!("n{number}@x.org"), number))?;
    }
    for seconds in [10, 20, 30, 40] {
        let dead = take(store, 5)?.map(|mail| bury(store, mail.id, 1, seconds));
        assert_eq!(dead, Some(Ok(true)));
    }
    let purge = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.outbox().purge(cutoff, limit));
    assert_eq!(purge(at(10) - TimeDelta::microseconds(1), 9)?, 0);
    assert_eq!((purge(at(30), 2)?, purge(at(30), 2)?, purge(at(30), 2)?), (2, 1, 0));
    let left: Vec<_> = list(store)?.into_iter().map(|mail| mail.dead_at).collect();
    assert_eq!(left, [Some(at(40)), None], "what waits is kept, however old");
    Ok(())
}

pub fn what_is_undone_was_neither_ordered_nor_taken(store: &dyn Store) -> Outcome {
    enqueue(store, &order("ada@example.com", 0))?;
    let before = list(store)?;
    let undone: Result<(), _> = store.write(|tx| {
        tx.outbox().enqueue(&order("bob@example.com", 0))?;
        let taken = tx.outbox().claim_next(at(0), at(90))?;
        let id = taken.map_or(MailId(0), |mail| mail.id);
        tx.outbox().mark_token_issued(id)?;
        assert!(tx.outbox().remove(id, 1)?);
        Err(StoreError::Busy("on purpose".to_owned()))
    });
    assert!(undone.is_err());
    assert_eq!(list(store)?, before);
    assert_eq!(take(store, 0)?.map(|mail| mail.tries), Some(1));
    Ok(())
}

pub fn each_of_1000_mails_is_taken_once_by_64_at_once(store: &dyn Store) -> Outcome {
    store.write(|tx| (0..MANY).try_for_each(|_| tx.outbox().enqueue(&order("ada@example.com", 0))))?;
    let taken = run_concurrently(64, |_| {
        let mut taken = Vec::new();
        while let Some(mail) = take(store, 0)? {
            assert_eq!(mail.tries, 1);
            taken.push(mail.id);
        }
        Ok(taken)
    })?;
    let taken = taken.concat();
    let each: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), each.len()), (1_000, 1_000));
    assert!(list(store)?.iter().all(|mail| mail.tries == 1));
    Ok(())
}

pub fn a_mail_is_settled_once_however_many_settle_it(store: &dyn Store) -> Outcome {
    for _ in 0..5 {
        enqueue(store, &order("ada@example.com", 0))?;
        let Some(mail) = take(store, 0)? else { return Err(StoreError::Failed("nothing was due".to_owned())) };
        let settled = run_concurrently(64, |caller| match caller % 2 {
            0 => remove(store, mail.id, 1),
            _ => bury(store, mail.id, 1, 5),
        })?;
        assert_eq!(settled.into_iter().filter(|settled| *settled).count(), 1);
    }
    Ok(())
}

fn enqueue(store: &dyn Store, order: &NewMail) -> Outcome {
    store.write(|tx| tx.outbox().enqueue(order))
}

/// Claims the next due email for 90 s.
fn take(store: &dyn Store, seconds: i64) -> Result<Option<QueuedMail>, StoreError> {
    store.write(|tx| tx.outbox().claim_next(at(seconds), at(seconds + 90)))
}

fn remove(store: &dyn Store, id: MailId, tries: u32) -> Result<bool, StoreError> {
    store.write(|tx| tx.outbox().remove(id, tries))
}

fn postpone(store: &dyn Store, id: MailId, tries: u32, seconds: i64) -> Result<bool, StoreError> {
    store.write(|tx| tx.outbox().postpone(id, tries, at(seconds), "it's the server's \"fault\""))
}

fn bury(store: &dyn Store, id: MailId, tries: u32, seconds: i64) -> Result<bool, StoreError> {
    store.write(|tx| tx.outbox().mark_dead(id, tries, at(seconds), "it's the server's \"fault\""))
}

fn list(store: &dyn Store) -> Result<Vec<QueuedMail>, StoreError> {
    store.read(|tx| tx.outbox().list(None, 2 * MANY))
}

fn load(store: &dyn Store, limit: u32) -> Result<OutboxCounts, StoreError> {
    store.read(|tx| tx.outbox().count(limit))
}

/// Returns the id of the first email.
fn id_of(listed: &[QueuedMail]) -> MailId {
    listed.first().map_or(MailId(0), |mail| mail.id)
}
