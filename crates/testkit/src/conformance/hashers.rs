//! Conformance of [`PasswordHasher`] adapters and decorators, with one function per promise, each run
//! on a fresh hasher. Each function returns an error if the hasher fails, and panics if a promise is
//! broken.

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use std::thread;

/// Result of a promise: an unexpected error, or nothing. Broken promises panic.
type Outcome = Result<(), HasherError>;

const CURRENT: PasswordCheck = PasswordCheck::Match { needs_rehash: false };

/// Generates a test for every promise. Takes a closure that gets a `&dyn Fn(&dyn PasswordHasher)` and
/// calls it with a hasher.
///
/// ```
/// # use portcullis_ports::PasswordHasher;
/// # use portcullis_testkit::PlainHasher;
/// portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&PlainHasher::default()));
/// ```
#[macro_export]
macro_rules! hasher_conformance {
    ($with_hasher:expr) => {
        $crate::hasher_conformance! { @cases $with_hasher;
            a_hash_answers_to_its_password_alone, every_byte_of_a_password_counts, each_hash_has_a_salt_of_its_own,
            what_is_no_hash_is_unreadable_and_no_error, a_stand_in_takes_any_password,
            who_lost_patience_is_answered_or_refused, calls_at_once_do_not_mix_up_their_passwords
        }
    };
    (@cases $with_hasher:expr; $($case:ident),+) => {
        $(
            #[test]
            fn $case() {
                let run = |hasher: &dyn ::portcullis_ports::PasswordHasher| {
                    assert_eq!($crate::conformance::hashers::$case(hasher), Ok(()));
                };
                ($with_hasher)(&run);
            }
        )+
    };
}

fn hash(hasher: &dyn PasswordHasher, password: &str) -> Result<PasswordHash, HasherError> {
    hasher.hash(&Password::new(password), &CancellationToken::never())
}

fn verify(hasher: &dyn PasswordHasher, password: &str, hash: &PasswordHash) -> Result<PasswordCheck, HasherError> {
    hasher.verify(&Password::new(password), hash, &CancellationToken::never())
}

/// A fresh hash is current and matches only its password.
pub fn a_hash_answers_to_its_password_alone(hasher: &dyn PasswordHasher) -> Outcome {
    let stored = hash(hasher, "correct horse")?;
    assert_eq!(verify(hasher, "correct horse", &stored)?, CURRENT);
    for other in ["", "correct hors", "correct horse ", "Correct horse"] {
        assert_eq!(verify(hasher, other, &stored)?, PasswordCheck::Mismatch, "{other:?}");
    }
    Ok(())
}

/// Regardless of length and characters.
pub fn every_byte_of_a_password_counts(hasher: &dyn PasswordHasher) -> Outcome {
    let stem = "x".repeat(71);
    let alike = [
        ["", "\0"].map(str::to_owned),
        ["abc", "abc\0abc"].map(str::to_owned),
        [format!("{stem}a"), format!("{stem}b")],
        [stem.repeat(4) + "é", stem.repeat(4) + "è"],
    ];
    for [one, other] in &alike {
        for (one, other) in [(one, other), (other, one)] {
            let stored = hash(hasher, one)?;
            assert_eq!(verify(hasher, one, &stored)?, CURRENT, "{one:?}");
            assert_eq!(verify(hasher, other, &stored)?, PasswordCheck::Mismatch, "{other:?} opens {one:?}");
        }
    }
    Ok(())
}

/// Equal passwords have different hashes.
pub fn each_hash_has_a_salt_of_its_own(hasher: &dyn PasswordHasher) -> Outcome {
    let (one, other) = (hash(hasher, "same password")?, hash(hasher, "same password")?);
    assert_ne!(one.expose(), other.expose());
    for stored in [one, other] {
        assert_eq!(verify(hasher, "same password", &stored)?, CURRENT);
    }
    Ok(())
}

/// A damaged row blocks the login of its account but causes no error.
pub fn what_is_no_hash_is_unreadable_and_no_error(hasher: &dyn PasswordHasher) -> Outcome {
    for text in ["", "nonsense", "$2b$", "$2b$04$short", "$2b$99$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde"]
    {
        let stored = PasswordHash::new(text.to_owned());
        for password in ["", text, "correct horse"] {
            assert_eq!(verify(hasher, password, &stored)?, PasswordCheck::Unreadable, "{text:?}");
        }
    }
    Ok(())
}

/// There is no account whose password could match.
pub fn a_stand_in_takes_any_password(hasher: &dyn PasswordHasher) -> Outcome {
    for password in ["", "correct horse", "\0", &"é".repeat(500)] {
        hasher.dummy_verify(&Password::new(password), "ada@example.org", &CancellationToken::never())?;
    }
    Ok(())
}

/// A cancelled caller gets the normal result or [`HasherError::Busy`]. Other callers are not affected.
pub fn who_lost_patience_is_answered_or_refused(hasher: &dyn PasswordHasher) -> Outcome {
    let (gone, password) = (CancellationToken::cancelled_unless(|| false), Password::new("correct horse"));
    let stored = hasher.hash(&password, &CancellationToken::never())?;
    let outcomes = [
        hasher.verify(&password, &stored, &gone).map(|verification| verification == CURRENT),
        hasher.hash(&password, &gone).and_then(|fresh| Ok(verify(hasher, "correct horse", &fresh)? == CURRENT)),
        hasher.dummy_verify(&password, "ada@example.org", &gone).map(|()| true),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(true) | Err(HasherError::Busy { .. })), "{outcome:?}");
    }
    assert_eq!(verify(hasher, "correct horse", &stored)?, CURRENT);
    Ok(())
}

/// Concurrent callers get the results of their own calls.
pub fn calls_at_once_do_not_mix_up_their_passwords(hasher: &dyn PasswordHasher) -> Outcome {
    let ask = |number: usize| {
        let (own, other) = (format!("password {number}"), format!("password {}", number + 1));
        let stored = hash(hasher, &own)?;
        Ok([verify(hasher, &own, &stored)?, verify(hasher, &other, &stored)?])
    };
    let answers: Vec<Result<_, HasherError>> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16).map(|number| scope.spawn(move || ask(number))).collect();
        callers.into_iter().filter_map(|caller| caller.join().ok()).collect()
    });
    assert_eq!(answers, vec![Ok([CURRENT, PasswordCheck::Mismatch]); 16]);
    Ok(())
}
