//! Sessions in memory.

use super::{State, Transaction};
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::login::Authentication;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{
    ClientInfo, EventKind, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SourceHash,
};
use portcullis_domain::tokens::{RefreshState, RefreshToken};
use portcullis_ports::{
    BearerIdentity, ListedSession, ResolvedBearer, RowCursor, RowRange, SessionCutoffs, SessionRepository, StoreError,
};

/// Session with its events and client.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    row: RowCursor,
    session: Session,
    client: ClientInfo,
    events: Vec<SessionEvent>,
    /// Sequence number of its last use among all sessions; 0 before the first use.
    last_use: u64,
}

impl State {
    /// Returns the session of a token, or `None` before its first exchange.
    pub(super) fn session_of(&self, token: &RefreshToken) -> Option<Session> {
        let id = token.session_id.unwrap_or_else(|| SessionId::for_legacy_token(token.jti));
        self.sessions.get(&id).map(|kept| kept.session.clone())
    }

    /// Returns all sessions of an account, including ended ones.
    pub(super) fn sessions_of(&self, user_id: UserId) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(|kept| &kept.session).filter(move |session| session.user_id == user_id)
    }

    /// Returns the sessions of an account that have not ended and started after `started_after`.
    fn open(&self, user_id: UserId, started_after: DateTime<Utc>) -> impl Iterator<Item = &Kept> {
        self.sessions.values().filter(move |kept| {
            let session = &kept.session;
            session.user_id == user_id && session.ended_at.is_none() && session.started_at > started_after
        })
    }

    fn revoke_where(&mut self, chosen: impl Fn(&RefreshToken) -> bool) -> Vec<RefreshToken> {
        let live = |token: &&mut RefreshToken| token.state == RefreshState::Live && chosen(token);
        let revoked = self.tokens.values_mut().filter(live).map(|token| {
            *token = token.revoke();
            token.clone()
        });
        revoked.collect()
    }

    fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> bool {
        let Some(kept) = self.sessions.get_mut(&id).filter(|kept| kept.session.ended_at.is_none()) else {
            return false;
        };
        kept.session.ended_at = Some(session_end.at.trunc_subsecs(6));
        kept.note(&SessionEvent {
            at: session_end.at,
            kind: session_end.reason.into(),
            client: session_end.client.clone(),
        });
        self.revoke_where(|token| token.session_id.unwrap_or_else(|| SessionId::for_legacy_token(token.jti)) == id);
        true
    }

    /// Deletes up to `most` rows of a session, events first. Returns the number of deleted rows.
    pub(super) fn forget(&mut self, id: SessionId, most: usize) -> usize {
        let Some(kept) = self.sessions.get_mut(&id) else { return 0 };
        let rows = kept.events.len().min(most);
        kept.events.drain(..rows);
        if rows == most {
            return rows;
        }
        self.sessions.remove(&id);
        rows + 1
    }

    fn dead(&self, range: &RowRange, dead: &SessionCutoffs) -> Vec<SessionId> {
        let within = |kept: &&Kept| kept.row > range.after && kept.row <= range.last && kept.is_dead(dead);
        self.sessions.values().filter(within).map(|kept| kept.session.id).collect()
    }
}

impl Kept {
    fn note(&mut self, event: &SessionEvent) {
        let same = self.events.iter().filter(|known| known.kind == event.kind).count();
        if !event.kind.is_repeatable() || same < EventKind::MAX_EVENTS_PER_KIND {
            self.events.push(SessionEvent { at: event.at.trunc_subsecs(6), ..event.clone() });
        }
    }

    fn last_used_at(&self) -> DateTime<Utc> {
        let mut uses = self.events.iter().filter(|event| event.kind.counts_as_use()).map(|event| event.at);
        uses.next_back().unwrap_or(self.session.started_at)
    }

    fn is_dead(&self, dead: &SessionCutoffs) -> bool {
        self.session.started_at <= dead.started || self.session.ended_at.is_some_and(|end| end <= dead.ended)
    }
}

impl SessionRepository for Transaction {
    fn lock_account(&mut self, _: UserId) -> Result<(), StoreError> {
        self.writable().map(drop)
    }

    fn begin(&mut self, session: &Session, client: &ClientInfo) -> Result<(), StoreError> {
        let state = self.writable()?;
        if state.sessions.contains_key(&session.id) {
            return Err(self.refuse("there is a session with that identifier"));
        }
        if !state.users.contains_key(&session.user_id) {
            return Err(self.refuse("there is no such account"));
        }
        state.last_session += 1;
        let row = RowCursor(state.last_session);
        let session = Session { started_at: session.started_at.trunc_subsecs(6), ..session.clone() };
        state
            .sessions
            .insert(session.id, Kept { row, session, client: client.clone(), events: Vec::new(), last_use: 0 });
        Ok(())
    }

    fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.state.sessions.get(&id).map(|kept| kept.session.clone()))
    }

    fn list(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let mut kept: Vec<_> = self.state.open(user_id, started_after).collect();
        kept.sort_unstable_by_key(|kept| std::cmp::Reverse((kept.session.started_at, kept.row)));
        kept.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let listed = kept.into_iter().map(|kept| ListedSession {
            session: kept.session.clone(),
            client: kept.client.clone(),
            last_used_at: kept.last_used_at(),
        });
        Ok(listed.collect())
    }

    fn count(&mut self, user_id: UserId, started_after: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let open = self.state.open(user_id, started_after).count();
        Ok(u32::try_from(open).unwrap_or(u32::MAX).min(limit))
    }

    fn least_recently_used(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut kept: Vec<_> = self.state.open(user_id, started_after).collect();
        kept.sort_unstable_by_key(|kept| (kept.last_use, kept.row));
        kept.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(kept.into_iter().map(|kept| kept.session.id).collect())
    }

    fn recent_clients(&mut self, user_id: UserId, limit: u32) -> Result<Vec<ClientInfo>, StoreError> {
        let mut kept: Vec<_> = self.state.sessions.values().filter(|kept| kept.session.user_id == user_id).collect();
        kept.sort_unstable_by_key(|kept| std::cmp::Reverse((kept.session.started_at, kept.row)));
        kept.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(kept.into_iter().map(|kept| kept.client.clone()).collect())
    }

    fn knows_source(&mut self, source: &SourceHash) -> Result<bool, StoreError> {
        Ok(self.state.sessions.values().any(|kept| kept.session.source == Some(*source)))
    }

    fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> Result<bool, StoreError> {
        Ok(self.writable()?.end(id, session_end))
    }

    fn end_all(&mut self, user_id: UserId, keep: &KeepSessions, session_end: &SessionEnd) -> Result<u64, StoreError> {
        let state = self.writable()?;
        let is_spared = |session: &&Session| {
            Some(session.id) == keep.session || session.device.is_some() && session.device == keep.device
        };
        let chosen: Vec<_> = state.sessions_of(user_id).filter(|s| !is_spared(s)).map(|s| s.id).collect();
        let ended = chosen.into_iter().filter(|id| state.end(*id, session_end)).count();
        let known: Vec<_> = state.sessions.keys().copied().collect();
        let unbegun = state.revoke_where(|token| {
            token.user_id == user_id
                && token.session_id.is_none()
                && !known.contains(&SessionId::for_legacy_token(token.jti))
                && token.expires_at > session_end.at
        });
        Ok(u64::try_from(ended + unbegun.len()).unwrap_or(u64::MAX))
    }

    fn reauthenticate(&mut self, id: SessionId, by: &Authentication) -> Result<bool, StoreError> {
        let active = self.writable()?.sessions.get_mut(&id).filter(|kept| kept.session.ended_at.is_none());
        let found = active.map(|kept| kept.session.authentication = Some(*by));
        Ok(found.is_some())
    }

    fn record(&mut self, id: SessionId, event: &SessionEvent) -> Result<(), StoreError> {
        let state = self.writable()?;
        if let Some(kept) = state.sessions.get_mut(&id) {
            kept.note(event);
            if event.kind.counts_as_use() {
                state.last_use += 1;
                kept.last_use = state.last_use;
            }
        }
        Ok(())
    }

    fn events(&mut self, id: SessionId, limit: u32) -> Result<Vec<SessionEvent>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let events = self.state.sessions.get(&id).map(|kept| kept.events.iter().rev().take(limit).cloned().collect());
        Ok(events.unwrap_or_default())
    }

    fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        let state = &self.state;
        let session = |key: &BearerIdentity| {
            let kept = state.sessions.get(&key.session_id?)?;
            (kept.session.user_id == key.user_id).then(|| kept.session.clone())
        };
        let find = |key: &BearerIdentity| {
            let user = state.users.get(&key.user_id)?.clone();
            let credentials = state.credentials(key.user_id)?;
            Some(ResolvedBearer {
                user,
                has_password: credentials.has_password(),
                second_factor: credentials.has_second_factor(),
                password: credentials.into_hash(),
                session: session(key),
            })
        };
        Ok(keys.iter().map(find).collect())
    }

    fn scan(&mut self, after: RowCursor, limit: u32, dead: &SessionCutoffs) -> Result<Option<RowRange>, StoreError> {
        let mut rows: Vec<_> = self.state.sessions.values().filter(|kept| kept.row > after).collect();
        rows.sort_unstable_by_key(|kept| kept.row);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let count = rows.iter().filter(|kept| kept.is_dead(dead)).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Ok(rows.last().map(|kept| RowRange { after, last: kept.row, dead: count, cutoff: dead.ended }))
    }

    fn purge(&mut self, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Result<u64, StoreError> {
        let state = self.writable()?;
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        let (chosen, most) = (state.dead(range, dead), left);
        for id in &chosen {
            if let Some(kept) = state.sessions.get_mut(id) {
                let rows = kept.events.len().min(left);
                kept.events.drain(..rows);
                left -= rows;
            }
        }
        for id in chosen.iter().take(left) {
            state.sessions.remove(id);
        }
        left = left.saturating_sub(chosen.len());
        Ok(u64::try_from(most - left).unwrap_or(u64::MAX))
    }
}
