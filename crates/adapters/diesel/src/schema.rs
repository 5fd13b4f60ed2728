//! Tables of both databases: the FastAPI application's columns under its names, and the columns and
//! tables that the migrations add.

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    users (id) {
        id -> BigInt,
        email -> Text,
        hashed_password -> Text,
        is_active -> Bool,
        created_at -> UtcTime,
        email_verified_at -> Nullable<UtcTime>,
        /// True if the account was adopted together with another whose email address differs only in
        /// case.
        email_case_sensitive -> Bool,
        /// Time when the deletion of the account began. Only queries of the deletion still find such an
        /// account.
        deleted_at -> Nullable<UtcTime>,
        /// Equal to the hash without the mark if the account has no password.
        no_password_hash -> Nullable<Text>,
        passkey_handle -> Nullable<Binary>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    refresh_tokens (id) {
        id -> BigInt,
        jti -> Text,
        user_id -> BigInt,
        expires_at -> UtcTime,
        /// Also true for spent tokens.
        revoked -> Bool,
        created_at -> UtcTime,
        spent_at -> Nullable<UtcTime>,
        spent_key -> Nullable<Binary>,
        successor_jti -> Nullable<Text>,
        /// Null for a token that the FastAPI application added. It belongs to the session whose `sid` is
        /// its `jti`, if there is one.
        session_id -> Nullable<BigInt>,
        /// Time when the token was spent, by the database server's clock. Null on SQLite, whose
        /// processes share the machine's clock.
        server_spent_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    sessions (id) {
        id -> BigInt,
        sid -> Text,
        user_id -> BigInt,
        created_at -> UtcTime,
        ended_at -> Nullable<UtcTime>,
        end_reason -> Nullable<Text>,
        ip_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        device -> Nullable<Binary>,
        source -> Nullable<Binary>,
        authenticated_at -> Nullable<UtcTime>,
        methods -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    session_events (id) {
        id -> BigInt,
        session_id -> BigInt,
        at -> UtcTime,
        kind -> Text,
        ip_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    one_time_tokens (id) {
        id -> BigInt,
        digest -> Binary,
        purpose -> Text,
        user_id -> BigInt,
        /// Canonical email address of an undo token; empty for all other purposes.
        slot -> Text,
        email -> Text,
        password_version -> Binary,
        expires_at -> UtcTime,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    outbox (id) {
        id -> BigInt,
        occasion -> Text,
        user_id -> Nullable<BigInt>,
        email -> Text,
        language -> Text,
        seed -> Binary,
        ip_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        created_at -> UtcTime,
        due_at -> UtcTime,
        tries -> BigInt,
        armed -> Bool,
        dead_at -> Nullable<UtcTime>,
        last_error -> Nullable<Text>,
        /// Null for an email that is bound to no password, or that an older release queued.
        password_version -> Nullable<Binary>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    totp_factors (id) {
        id -> BigInt,
        factor_id -> Text,
        user_id -> BigInt,
        name -> Text,
        secret -> Binary,
        /// Null until the factor is confirmed.
        last_step -> Nullable<BigInt>,
        set_up_by -> Nullable<Text>,
        created_at -> UtcTime,
        confirmed_at -> Nullable<UtcTime>,
        last_used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    recovery_codes (id) {
        id -> BigInt,
        user_id -> BigInt,
        digest -> Binary,
        used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    trusted_devices (id) {
        id -> BigInt,
        device_id -> Text,
        user_id -> BigInt,
        device -> Binary,
        ip_address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        created_at -> UtcTime,
        expires_at -> UtcTime,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    passkeys (id) {
        id -> BigInt,
        passkey_id -> Text,
        user_id -> BigInt,
        credential_id -> Binary,
        public_key -> Binary,
        /// Number in the COSE registry.
        algorithm -> BigInt,
        rp_id -> Text,
        counter -> BigInt,
        flags -> BigInt,
        discoverable -> Bool,
        aaguid -> Binary,
        /// Names, separated by spaces.
        transports -> Text,
        name -> Text,
        second_factor -> Bool,
        set_up_by -> Nullable<Text>,
        created_at -> UtcTime,
        last_used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    used_challenges (id) {
        id -> BigInt,
        digest -> Binary,
        expires_at -> UtcTime,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    identities (id) {
        id -> BigInt,
        identity_id -> Text,
        user_id -> BigInt,
        issuer -> Text,
        subject -> Text,
        provider -> Text,
        email -> Nullable<Text>,
        set_up_by -> Nullable<Text>,
        created_at -> UtcTime,
        last_used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    sign_in_flows (id) {
        id -> BigInt,
        state_digest -> Binary,
        browser -> Binary,
        sealed -> Binary,
        expires_at -> UtcTime,
        spent_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    sign_in_codes (id) {
        id -> BigInt,
        digest -> Binary,
        user_id -> BigInt,
        sid -> Text,
        challenge -> Binary,
        redirect_uri -> Text,
        multi_factor -> Bool,
        page_sid -> Nullable<Text>,
        expires_at -> UtcTime,
        used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use crate::time::UtcTime;
    use diesel::sql_types::*;

    used_id_tokens (id) {
        id -> BigInt,
        digest -> Binary,
        expires_at -> UtcTime,
    }
}

diesel::joinable!(refresh_tokens -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    refresh_tokens,
    users,
    sessions,
    session_events,
    one_time_tokens,
    outbox,
    totp_factors,
    passkeys
);
