//! Conformance of stores: sources of sessions.

use super::prelude::*;

pub fn a_source_is_known_by_any_session_that_began_there(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    let [one, two] = [1, 2].map(|number| SourceHash::new([number; 32]));
    let knows = |source| store.read(|tx| tx.sessions().knows_source(source));
    for (number, source) in [(1, None), (2, Some(one)), (3, Some(one))] {
        assert_eq!((knows(&one)?, knows(&two)?), (number > 2, false));
        let session = session_of(&ada, jti(number)).with_source(source);
        store.write(|tx| tx.sessions().begin(&session, &client()))?;
        assert_eq!(store.read(|tx| tx.sessions().find(session.id))?, Some(session));
    }
    let session_end = SessionEnd { at: at(9), reason: EndReason::Revoked, client: client() };
    store.write(|tx| tx.sessions().end_all(ada.id, &KeepSessions::default(), &session_end))?;
    assert_eq!((knows(&one)?, knows(&two)?), (true, false), "ended or not");
    Ok(())
}
