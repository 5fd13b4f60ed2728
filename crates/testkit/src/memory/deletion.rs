//! Deleted accounts in memory.

use super::Transaction;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{Remains, RowCursor, StoreError, UserDeletion};

impl UserDeletion for Transaction {
    fn mark_deleted(&mut self, id: UserId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let state = self.writable()?;
        let begun = state.users.remove(&id).is_some();
        if begun {
            state.credentials.remove(&id);
            state.passkeys.remove_handle(id);
            state.deleted.insert(id, now);
        }
        Ok(begun)
    }

    fn list_marked_deleted(&mut self, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let mut ids: Vec<_> = self.state.deleted.iter().map(|(id, since)| (*since, *id)).collect();
        ids.sort_unstable();
        ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    fn delete_owned_rows(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
        let state = self.writable()?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        if !state.deleted.contains_key(&id) {
            return Ok(0);
        }
        let own = |jti| state.tokens.get(jti).is_some_and(|token| token.user_id == id);
        let rows: Vec<(RowCursor, _)> = state.rows.iter().filter(|(_, jti)| own(jti)).map(|(r, j)| (*r, *j)).collect();
        let mut left = most;
        for (row, jti) in rows.into_iter().take(most) {
            state.rows.remove(&row);
            state.tokens.remove(&jti);
            left -= 1;
        }
        let sessions: Vec<SessionId> = state.sessions_of(id).map(|session| session.id).collect();
        for session in sessions {
            left -= state.forget(session, left);
        }
        let digests: Vec<_> = state.grants.values().filter(|record| record.user_id == id).map(|g| g.digest).collect();
        for digest in digests.into_iter().take(left) {
            state.grants.remove(&digest);
            left -= 1;
        }
        let mails: Vec<_> = state.mails.values().filter(|mail| mail.mail.user_id == Some(id)).map(|m| m.id).collect();
        for mail in mails.into_iter().take(left) {
            state.mails.remove(&mail);
            left -= 1;
        }
        left -= state.factors.remove_owned(id, left);
        left -= state.passkeys.remove_owned(id, left);
        left -= state.identities.remove_owned(id, left);
        left -= state.sign_ins.remove_owned(id, left);
        Ok(u64::try_from(most - left).unwrap_or(u64::MAX))
    }

    fn delete_row_if_empty(&mut self, id: UserId, now: DateTime<Utc>) -> Result<Remains, StoreError> {
        let state = self.writable()?;
        let bare = state.sessions_of(id).next().is_none()
            && state.tokens.values().all(|token| token.user_id != id)
            && state.grants.values().all(|record| record.user_id != id)
            && state.mails.values().all(|mail| mail.mail.user_id != Some(id))
            && state.factors.is_empty(id)
            && state.passkeys.is_empty(id)
            && state.identities.is_empty(id)
            && state.sign_ins.is_empty(id);
        let begun = state.deleted.contains_key(&id);
        Ok(match state.referenced.get(&id).filter(|_| begun) {
            Some(by) => {
                state.deleted.insert(id, now);
                Remains::Referenced { by: by.clone() }
            }
            None if begun && !bare => Remains::Rows,
            None => {
                state.deleted.remove(&id);
                Remains::Nothing
            }
        })
    }
}
