//! Sign-ins with providers under way, as rows of `sign_in_flows`, `sign_in_codes` and `used_id_tokens`. Flows,
//! codes and ID tokens are used up by statements that count the affected rows, so exactly one concurrent caller
//! succeeds on both databases.

use crate::engine::columns_of;
use crate::schema::{sign_in_codes, sign_in_flows, used_id_tokens};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use portcullis_domain::providers::{SignInCode, SignInCodeDigest, SignInFlow, StateDigest};
use portcullis_domain::registration::UserId;
use portcullis_ports::{SignInRepository, StoreError};

/// Row of a flow.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sign_in_flows)]
struct FlowRow {
    id: i64,
    state_digest: Stored<Vec<u8>>,
    browser: Stored<Vec<u8>>,
    sealed: Stored<Vec<u8>>,
    expires_at: Stored<DateTime<Utc>>,
    spent_at: Option<Stored<DateTime<Utc>>>,
}

impl TryFrom<FlowRow> for SignInFlow {
    type Error = StoreError;

    fn try_from(row: FlowRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "sign_in_flows", id: row.id };
        Ok(Self {
            state: StateDigest::new(at.code("state_digest", row.state_digest)?),
            browser: at.code("browser", row.browser)?,
            sealed: at.read("sealed", row.sealed)?,
            expires_at: at.read("expires_at", row.expires_at)?,
            spent_at: row.spent_at.map(|time| at.read("spent_at", time)).transpose()?,
        })
    }
}

/// Row of a code.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sign_in_codes)]
struct CodeRow {
    id: i64,
    digest: Stored<Vec<u8>>,
    user_id: Stored<i64>,
    sid: Stored<String>,
    challenge: Stored<Vec<u8>>,
    redirect_uri: Stored<String>,
    multi_factor: Stored<bool>,
    page_sid: Option<Stored<String>>,
    expires_at: Stored<DateTime<Utc>>,
    used_at: Option<Stored<DateTime<Utc>>>,
}

impl TryFrom<CodeRow> for SignInCode {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "sign_in_codes", id: row.id };
        Ok(Self {
            digest: SignInCodeDigest::new(at.code("digest", row.digest)?),
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            session_id: at.session("sid", row.sid)?,
            challenge: at.code("challenge", row.challenge)?,
            redirect_uri: at.read("redirect_uri", row.redirect_uri)?,
            multi_factor: at.read("multi_factor", row.multi_factor)?,
            page_session: row.page_sid.map(|text| at.session("page_sid", text)).transpose()?,
            expires_at: at.read("expires_at", row.expires_at)?,
            used_at: row.used_at.map(|time| at.read("used_at", time)).transpose()?,
        })
    }
}

/// Selects the flow with this state.
#[auto_type]
fn with_state<'a>(state: &'a [u8]) -> _ {
    sign_in_flows::table.filter(sign_in_flows::state_digest.eq(state))
}

/// Selects the code with this digest.
#[auto_type]
fn with_digest<'a>(digest: &'a [u8]) -> _ {
    sign_in_codes::table.filter(sign_in_codes::digest.eq(digest))
}

impl SignInRepository for Transaction<'_> {
    fn insert_flow(&mut self, flow: &SignInFlow) -> Result<(), StoreError> {
        let insert = diesel::insert_into(sign_in_flows::table).values((
            sign_in_flows::state_digest.eq(flow.state.as_bytes().as_slice()),
            sign_in_flows::browser.eq(flow.browser.as_slice()),
            sign_in_flows::sealed.eq(&flow.sealed),
            sign_in_flows::expires_at.eq(DbTimestamp::new(flow.expires_at)),
            sign_in_flows::spent_at.eq(flow.spent_at.map(DbTimestamp::new)),
        ));
        self.change(insert).map(drop)
    }

    fn flow(&mut self, state: &StateDigest) -> Result<Option<SignInFlow>, StoreError> {
        let query = with_state(state.as_bytes()).select(columns_of::<FlowRow>());
        self.first::<FlowRow>(query)?.map(SignInFlow::try_from).transpose()
    }

    fn spend_flow(&mut self, state: &StateDigest, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let unspent = with_state(state.as_bytes()).filter(sign_in_flows::spent_at.is_null());
        self.changed_one(diesel::update(unspent).set(sign_in_flows::spent_at.eq(DbTimestamp::new(at))))
    }

    fn insert_code(&mut self, code: &SignInCode) -> Result<(), StoreError> {
        let insert = diesel::insert_into(sign_in_codes::table).values((
            sign_in_codes::digest.eq(code.digest.as_bytes().as_slice()),
            sign_in_codes::user_id.eq(code.user_id.get()),
            sign_in_codes::sid.eq(code.session_id.to_string()),
            sign_in_codes::challenge.eq(code.challenge.as_slice()),
            sign_in_codes::redirect_uri.eq(&code.redirect_uri),
            sign_in_codes::multi_factor.eq(code.multi_factor),
            sign_in_codes::page_sid.eq(code.page_session.map(|id| id.to_string())),
            sign_in_codes::expires_at.eq(DbTimestamp::new(code.expires_at)),
            sign_in_codes::used_at.eq(code.used_at.map(DbTimestamp::new)),
        ));
        self.change(insert).map(drop)
    }

    fn code(&mut self, digest: &SignInCodeDigest) -> Result<Option<SignInCode>, StoreError> {
        let query = with_digest(digest.as_bytes()).select(columns_of::<CodeRow>());
        self.first::<CodeRow>(query)?.map(SignInCode::try_from).transpose()
    }

    fn use_code(&mut self, digest: &SignInCodeDigest, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let unused = with_digest(digest.as_bytes()).filter(sign_in_codes::used_at.is_null());
        self.changed_one(diesel::update(unused).set(sign_in_codes::used_at.eq(DbTimestamp::new(at))))
    }

    fn revoke_codes(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let own = sign_in_codes::table.filter(sign_in_codes::user_id.eq(user_id.get()));
        let revoked = self.change(diesel::delete(own.filter(sign_in_codes::used_at.is_null())))?;
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }

    fn use_id_token(&mut self, digest: &SignInCodeDigest, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let insert = diesel::insert_into(used_id_tokens::table).values((
            used_id_tokens::digest.eq(digest.as_bytes().as_slice()),
            used_id_tokens::expires_at.eq(DbTimestamp::new(until)),
        ));
        self.changed_one(insert.on_conflict(used_id_tokens::digest).do_nothing())
    }

    fn purge_sign_ins(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let mut rest = limit;
        for table in ["sign_in_flows", "sign_in_codes", "used_id_tokens"] {
            if rest > 0 {
                let deleted = self.purge_oldest(table, "expires_at", cutoff, rest)?;
                rest = rest.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
            }
        }
        Ok(u64::from(limit.saturating_sub(rest)))
    }
}
