//! F10: rows that no version of the service wrote. A call that needs a damaged row gets 401 or 503, never a
//! panic or a success, and other accounts are not affected. A login never gets 503, which would reveal that
//! the account exists.

use crate::prelude::*;

on_both_databases!(a_damaged_row_is_refused_and_nothing_else_is);

/// Idempotency key of every refresh.
const KEY: &str = "mine";

/// Calls that read a column and must not succeed if it is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Every call that needs the account: login, refresh, `/auth/me`.
    Account,
    /// Login, `/auth/me`.
    Person,
    /// Login.
    Login,
    /// Every call with a token of the account: refresh, `/auth/me`.
    Token,
    /// Refresh.
    Refresh,
    /// Refresh of a spent token by the client that spent it.
    Spent,
    /// The same, if the row of the token's successor is damaged.
    Successor,
}

/// SQL that damages a column. SQLite stores values of any type in any column.
const ON_SQLITE: [(Readers, &str, &str); 56] = [
    (Readers::Token, "users", "id = -9223372036854775808"),
    (Readers::Person, "users", "email = x'616461'"),
    (Readers::Login, "users", "email = ''"),
    (Readers::Person, "users", "email = cast(x'61ff40' AS text)"),
    (Readers::Login, "users", "email = 7"),
    (Readers::Login, "users", "hashed_password = ''"),
    (Readers::Login, "users", "hashed_password = '$2b$04$'"),
    (Readers::Login, "users", "hashed_password = '$2b$99$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234'"),
    (Readers::Login, "users", "hashed_password = '$2b$04$ä' || substr(hashed_password, 9)"),
    (Readers::Login, "users", "hashed_password = '$bcrypt-sha256$v=2,t=2b,r=99$x$y'"),
    (Readers::Login, "users", "hashed_password = 'plain' || char(0)"),
    (Readers::Login, "users", "hashed_password = x'fffe'"),
    (Readers::Login, "users", "hashed_password = 7"),
    (Readers::Account, "users", "is_active = 'maybe'"),
    (Readers::Account, "users", "is_active = 7"),
    (Readers::Account, "users", "is_active = x'01'"),
    (Readers::Account, "users", "is_active = 1.5"),
    (Readers::Person, "users", "created_at = 'yesterday'"),
    (Readers::Person, "users", "created_at = x'ff00'"),
    (Readers::Person, "users", "created_at = 1e300"),
    (Readers::Person, "users", "created_at = ''"),
    (Readers::Person, "users", "email_verified_at = 'soon'"),
    (Readers::Person, "users", "email_verified_at = 0"),
    (Readers::Refresh, "refresh_tokens", "jti = x'00'"),
    (Readers::Refresh, "refresh_tokens", "jti = upper(jti) || 'x'"),
    (Readers::Refresh, "refresh_tokens", "user_id = 'nobody'"),
    (Readers::Refresh, "refresh_tokens", "user_id = -1"),
    (Readers::Refresh, "refresh_tokens", "expires_at = 'never'"),
    (Readers::Refresh, "refresh_tokens", "expires_at = 1e400"),
    (Readers::Refresh, "refresh_tokens", "expires_at = x'39'"),
    (Readers::Refresh, "refresh_tokens", "revoked = 'no'"),
    (Readers::Refresh, "refresh_tokens", "revoked = 2"),
    (Readers::Refresh, "refresh_tokens", "revoked = x'00'"),
    (Readers::Refresh, "refresh_tokens", "created_at = ''"),
    (Readers::Refresh, "refresh_tokens", "created_at = 5"),
    (Readers::Spent, "refresh_tokens", "spent_at = 'x'"),
    (Readers::Spent, "refresh_tokens", "spent_at = 0"),
    (Readers::Spent, "refresh_tokens", "spent_key = 'text'"),
    (Readers::Spent, "refresh_tokens", "spent_key = x'00'"),
    (Readers::Spent, "refresh_tokens", "successor_jti = 'x'"),
    (Readers::Spent, "refresh_tokens", "successor_jti = x'ff'"),
    (Readers::Refresh, "refresh_tokens", "session_id = 'x'"),
    (Readers::Refresh, "refresh_tokens", "session_id = -1"),
    (Readers::Token, "sessions", "sid = x'00'"),
    (Readers::Token, "sessions", "user_id = -1"),
    (Readers::Token, "sessions", "created_at = 'never'"),
    (Readers::Token, "sessions", "created_at = x'ff'"),
    (Readers::Token, "sessions", "ended_at = 'x'"),
    (Readers::Refresh, "refresh_tokens", "spent_at = created_at"),
    (Readers::Refresh, "refresh_tokens", "spent_key = zeroblob(32)"),
    (Readers::Refresh, "refresh_tokens", "successor_jti = '0123456789abcdef0123456789abcdef'"),
    (Readers::Spent, "refresh_tokens", "revoked = 0"),
    (Readers::Spent, "refresh_tokens", "revoked = 0, successor_jti = NULL"),
    (Readers::Spent, "refresh_tokens", "successor_jti = NULL"),
    (Readers::Successor, "refresh_tokens", "spent_at = created_at"),
    (Readers::Successor, "refresh_tokens", "expires_at = 0"),
];

const ON_POSTGRES: [(Readers, &str, &str); 30] = [
    (Readers::Login, "users", "email = ''"),
    (Readers::Login, "users", "hashed_password = ''"),
    (Readers::Login, "users", "hashed_password = '$2b$04$'"),
    (Readers::Login, "users", "hashed_password = '$2b$04$ä' || substr(hashed_password, 9)"),
    (Readers::Account, "users", "is_active = false"),
    (Readers::Account, "users", "is_active = NULL"),
    (Readers::Person, "users", "created_at = NULL"),
    (Readers::Person, "users", "created_at = 'infinity'"),
    (Readers::Person, "users", "created_at = '-infinity'"),
    (Readers::Person, "users", "email_verified_at = 'infinity'"),
    (Readers::Refresh, "refresh_tokens", "jti = ''"),
    (Readers::Refresh, "refresh_tokens", "user_id = (SELECT min(id) FROM users)"),
    (Readers::Refresh, "refresh_tokens", "expires_at = '-infinity'"),
    (Readers::Refresh, "refresh_tokens", "expires_at = 'infinity'"),
    (Readers::Refresh, "refresh_tokens", "created_at = 'infinity'"),
    (Readers::Spent, "refresh_tokens", "spent_at = 'infinity'"),
    (Readers::Spent, "refresh_tokens", "spent_key = '\\x00'"),
    (Readers::Spent, "refresh_tokens", "successor_jti = 'x'"),
    (Readers::Spent, "refresh_tokens", "server_spent_at = 'infinity'"),
    (Readers::Token, "sessions", "sid = 'x'"),
    (Readers::Token, "sessions", "created_at = 'infinity'"),
    (Readers::Token, "sessions", "ended_at = '-infinity'"),
    (Readers::Refresh, "refresh_tokens", "spent_at = created_at"),
    (Readers::Refresh, "refresh_tokens", "spent_key = decode(repeat('00', 32), 'hex')"),
    (Readers::Refresh, "refresh_tokens", "successor_jti = '0123456789abcdef0123456789abcdef'"),
    (Readers::Spent, "refresh_tokens", "revoked = false"),
    (Readers::Spent, "refresh_tokens", "revoked = false, successor_jti = NULL"),
    (Readers::Spent, "refresh_tokens", "successor_jti = NULL"),
    (Readers::Successor, "refresh_tokens", "spent_at = created_at"),
    (Readers::Successor, "refresh_tokens", "expires_at = 'infinity'"),
];

fn a_damaged_row_is_refused_and_nothing_else_is(backend: Backend) {
    let service = backend.service().start();
    let healthy = service.account();
    if backend == Backend::Postgres {
        // Some adopted tables are like this.
        let adopted = "ALTER COLUMN is_active DROP NOT NULL, ALTER COLUMN created_at DROP NOT NULL";
        service.database.execute(&format!("ALTER TABLE users {adopted}"));
    }
    let damages = match backend {
        Backend::Sqlite => ON_SQLITE.as_slice(),
        Backend::Postgres => &ON_POSTGRES,
    };
    for (readers, table, damage) in damages {
        let (account, pair) = service.session();
        let of = match (*table, readers) {
            ("users", _) => format!("id = {}", account.id),
            ("sessions", _) => format!("sid = '{}'", claims(&pair.refresh)["sid"].as_str().unwrap()),
            (_, Readers::Spent) => format!("jti = '{}'", exchanged(&service, &pair).0),
            (_, Readers::Successor) => format!("jti = '{}'", exchanged(&service, &pair).1),
            _ => format!("jti = '{}'", pair.jti()),
        };
        // SQLite checks foreign keys only if asked, and damage ignores them.
        let unbound = if backend == Backend::Sqlite { "PRAGMA foreign_keys = OFF;" } else { "" };
        service.database.execute(&format!("{unbound} UPDATE {table} SET {damage} WHERE {of}"));
        expect_refused(&service, *readers, &account, &pair, &format!("{table}: {damage}"));
        service.login(&healthy.email, &healthy.password).expect(200);
        service.register(&fresh_email(), "long enough").expect(201);
    }
    assert_eq!(service.circuit(), "closed");
    assert!(!service.flushed_log().text().contains("panicked") && service.errors.text().is_empty());
}

/// Refreshes a token and returns its `jti` and its successor's. A retry with the same key gets the same pair
/// if no row is damaged.
fn exchanged(service: &Service, pair: &Pair) -> (String, String) {
    let next = Pair::of(&service.refresh_with(&pair.refresh, KEY));
    assert_eq!(Pair::of(&service.refresh_with(&pair.refresh, KEY)).refresh, next.refresh);
    (pair.jti(), next.jti())
}

fn expect_refused(service: &Service, readers: Readers, account: &Account, pair: &Pair, what: &str) {
    let login = service.login(&account.email, &account.password);
    let me = service.me(&pair.access);
    let refresh = service.refresh_with(&pair.refresh, KEY);
    let logout = service.logout(&pair.refresh);
    if matches!(readers, Readers::Account | Readers::Person | Readers::Login) {
        assert_eq!(login.status, 401, "{what}: {}", login.text());
        service.post("/auth/password/forgot", &json!({ "email": account.email })).expect(202);
    }
    let must_fail: &[&Reply] = match readers {
        Readers::Account => &[&login, &me, &refresh],
        Readers::Person => &[&login, &me],
        Readers::Login => &[&login],
        Readers::Token => &[&me, &refresh],
        Readers::Refresh | Readers::Spent | Readers::Successor => &[&refresh],
    };
    for reply in [&login, &me, &refresh, &logout] {
        match reply.status {
            200 => assert!(!must_fail.iter().any(|other| std::ptr::eq(*other, reply)), "{what}: {}", reply.text()),
            401 => {}
            503 => reply.expect_unavailable(),
            _ => panic!("{what}: {} {}", reply.status, reply.text()),
        }
    }
}
