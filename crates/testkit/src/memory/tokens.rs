//! Refresh tokens in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::tokens::{Jti, RefreshState, RefreshToken, SpendRecord};
use portcullis_ports::{FoundToken, RefreshTokenRepository, RowCursor, RowRange, StoreError};
use std::ops::Bound::{Excluded, Included, Unbounded};

impl RefreshTokenRepository for Transaction {
    fn insert(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        let state = self.writable()?;
        let if_so = |wrong: bool, reason| wrong.then_some(reason);
        let wrong = if_so(token.state != RefreshState::Live, "a new token is live")
            .or(if_so(!state.users.contains_key(&token.user_id), "there is no such account"))
            .or(if_so(state.tokens.contains_key(&token.jti), "there is a token with that identifier"))
            .or(if_so(
                token.session_id.is_some_and(|id| !state.sessions.contains_key(&id)),
                "there is no such session",
            ));
        if let Some(reason) = wrong {
            return Err(self.refuse(reason));
        }
        let created_at = token.created_at.trunc_subsecs(6);
        let expires_at = token.expires_at.trunc_subsecs(6);
        let next = self.state.rows.last_key_value().map_or(1, |(last, _)| last.0 + 1);
        self.state.rows.insert(RowCursor(next), token.jti);
        self.state.tokens.insert(token.jti, RefreshToken { created_at, expires_at, ..token.clone() });
        Ok(())
    }

    fn find(&mut self, jti: Jti) -> Result<Option<FoundToken>, StoreError> {
        let kept = &self.state;
        let Some(token) = kept.tokens.get(&jti) else { return Ok(None) };
        let live = |jti: &Jti| kept.tokens.get(jti).filter(|token| token.state == RefreshState::Live).cloned();
        let session = kept.session_of(token);
        let forgotten = token.session_id.is_some() && session.is_none();
        let state = if forgotten { RefreshState::Revoked } else { token.state.clone() };
        let session_id = session.as_ref().map(|session| session.id);
        let token = RefreshToken { session_id, state, ..token.clone() };
        Ok(Some(FoundToken {
            account_active: kept.users.get(&token.user_id).is_some_and(|user| user.is_active),
            account_verified: kept.users.get(&token.user_id).is_some_and(|user| user.email_verified_at.is_some()),
            live_successor: match &token.state {
                RefreshState::Spent(spend_record) => live(&spend_record.successor),
                RefreshState::Live | RefreshState::Revoked => None,
            },
            spent_age: None,
            session,
            token,
        }))
    }

    fn spend(&mut self, jti: Jti, spend_record: &SpendRecord) -> Result<bool, StoreError> {
        let spend_record = SpendRecord { at: spend_record.at.trunc_subsecs(6), ..spend_record.clone() };
        let token = self.writable()?.tokens.get_mut(&jti);
        let spent = token.and_then(|token| token.spend(spend_record).ok().map(|spent| *token = spent));
        Ok(spent.is_some())
    }

    fn revoke(&mut self, jti: Jti, _now: DateTime<Utc>) -> Result<bool, StoreError> {
        let token = self.writable()?.tokens.get_mut(&jti).filter(|token| token.state == RefreshState::Live);
        Ok(token.map(|token| *token = token.revoke()).is_some())
    }

    fn scan(&mut self, after: RowCursor, limit: u32, cutoff: DateTime<Utc>) -> Result<Option<RowRange>, StoreError> {
        let state = &self.state;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rows: Vec<_> = state.rows.range((Excluded(after), Unbounded)).take(limit).collect();
        let dead = rows.iter().filter(|(_, jti)| state.tokens.get(jti).is_some_and(|t| t.expires_at <= cutoff)).count();
        let dead = u64::try_from(dead).unwrap_or(u64::MAX);
        Ok(rows.last().map(|(last, _)| RowRange { after, last: **last, dead, cutoff }))
    }

    fn purge(&mut self, range: &RowRange, limit: u32) -> Result<u64, StoreError> {
        let state = self.writable()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rows = state.rows.range((Excluded(range.after), Included(range.last)));
        let dead = |jti: &Jti| state.tokens.get(jti).is_some_and(|token| token.expires_at <= range.cutoff);
        let dead: Vec<_> = rows.filter(|(_, jti)| dead(jti)).take(limit).map(|(row, jti)| (*row, *jti)).collect();
        for (row, jti) in &dead {
            state.rows.remove(row);
            state.tokens.remove(jti);
        }
        Ok(u64::try_from(dead.len()).unwrap_or(u64::MAX))
    }
}
