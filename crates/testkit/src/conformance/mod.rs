//! Conformance suites. Most modules test a [`Store`], with one function per promise, each run on an
//! empty store. [`hashers`] tests password hashers and [`limits`] tests rate limiters. Properties of a
//! single adapter, such as damaged rows or a server that dies, have their own tests there.

pub mod accounts;
pub mod addresses;
pub mod concurrent_changes;
pub mod deletion;
pub mod factors;
pub mod hashers;
pub mod identities;
pub mod limits;
pub mod mail;
pub mod maintenance;
pub mod passkeys;
mod prelude;
pub mod races;
pub mod registration;
pub mod rotations;
pub mod sessions;
pub mod sources;
pub mod tokens;
pub mod transactions;
pub mod verification;

use portcullis_ports::{Store, StoreError};

/// Generates a test for every promise. Takes a closure that gets a `&dyn Fn(&dyn Store)` and calls it
/// with an empty store.
///
/// ```
/// # use portcullis_ports::Store;
/// # use portcullis_testkit::MemoryStore;
/// portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&MemoryStore::new()));
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($with_store:expr) => {
        $crate::store_promises! { store_conformance @cases $with_store; }
    };
    (@cases $with_store:expr; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() {
                let run = |store: &dyn ::portcullis_ports::Store| {
                    let outcome = $crate::conformance::$module::$case(store);
                    assert_eq!(outcome, Ok(()));
                };
                ($with_store)(&run);
            }
        )+)+
    };
    (@list $($module:ident: $($case:ident),+;)+) => {
        vec![$($($module::$case),+),+]
    };
}

/// Passes the names of all promises to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! store_promises {
    ($then:ident $($before:tt)*) => {
        $crate::$then! { $($before)*
            registration: an_account_is_found_by_number_and_by_any_spelling, a_taken_address_is_taken_in_any_spelling,
                nothing_is_found_where_nothing_is, only_ascii_letters_are_folded, text_survives_as_it_is,
                times_hold_to_the_microsecond, a_hash_is_replaced_only_if_it_is_the_one_that_was_read,
                the_mark_of_a_second_factor_belongs_to_the_stored_text,
                account_without_a_password_gets_one_and_loses_it, an_account_may_begin_verified;
            accounts: accounts_are_listed_by_number_page_by_page, an_account_is_switched_off_and_on_once,
                account_admits_its_current_password_while_active,
                a_sample_of_passwords_covers_all_ids_and_is_bounded;
            deletion: account_being_deleted_is_invisible_to_lookups,
                account_deletion_removes_exactly_its_own_rows_in_batches, those_deleted_for_longest_come_first,
                account_deleted_while_in_use_leaves_no_row;
            concurrent_changes: many_ask_for_one_account_at_once,
                session_begun_under_a_password_precedes_its_change_or_fails,
                the_origins_of_sessions_are_told_newest_first, tokens_follow_a_password_that_is_hashed_anew,
                undo_deletes_every_token_but_those_of_earlier_changes;
            addresses: an_address_is_verified_once_and_as_it_is_spelled,
                an_address_is_changed_if_it_is_the_one_that_was_read,
                one_of_those_who_want_an_address_at_once_gets_it, one_of_many_changes_of_an_address_succeeds;
            verification: a_one_time_token_is_found_until_it_is_consumed,
                a_newer_one_time_token_takes_the_place_of_the_older,
                undo_tokens_are_distinguished_by_email_in_any_spelling, a_one_time_token_is_extended_while_it_is_there,
                what_revokes_one_time_tokens_spares_an_undo, an_address_is_held_by_whoever_may_have_it_back,
                expired_one_time_tokens_are_deleted, one_of_64_who_consume_a_token_does,
                of_tokens_that_are_made_at_once_one_is_left,
                consuming_a_token_and_making_a_newer_one_exclude_each_other,
                a_token_that_is_made_while_its_forerunner_is_deleted_is_kept,
                what_is_undone_leaves_the_one_time_tokens_as_they_were;
            mail: a_mail_is_kept_until_it_is_settled, every_kind_of_mail_survives_as_it_is,
                mails_follow_a_password_that_is_hashed_anew,
                mails_are_taken_in_the_order_in_which_they_are_due, a_mail_is_somebodys_alone_until_its_lease_is_over,
                whoever_lost_a_mail_settles_it_no_more, a_mail_that_was_given_up_is_kept_and_can_be_tried_anew,
                mails_are_listed_by_number_and_counted_up_to_a_bound, the_mails_of_an_account_are_forgotten_with_it,
                mails_that_were_given_up_long_ago_are_deleted, what_is_undone_was_neither_ordered_nor_taken,
                each_of_1000_mails_is_taken_once_by_64_at_once, a_mail_is_settled_once_however_many_settle_it;
            factors: a_factor_counts_once_its_owner_confirms_it, a_pending_factor_replaces_the_pending_one_only,
                only_its_owner_renames_and_removes_a_confirmed_factor,
                a_time_step_is_used_once_and_no_earlier_one_after_it, one_of_many_confirmations_wins,
                a_recovery_code_is_used_once_by_its_owner, a_device_is_trusted_until_it_expires_or_is_forgotten,
                all_second_factors_of_an_account_are_removed_together,
                secrets_are_listed_page_by_page_and_resealed_if_unchanged,
                expired_pending_factors_and_devices_are_deleted;
            passkeys: a_passkey_is_kept_as_it_is, one_of_many_registrations_of_a_credential_wins,
                an_account_gets_one_user_handle, a_use_counts_if_the_counter_grows,
                only_its_owner_renames_and_removes_a_passkey, a_passkey_may_be_a_second_factor,
                a_challenge_is_used_once, expired_challenges_are_deleted;
            identities: an_identity_is_found_byte_for_byte, one_of_many_links_of_an_identity_wins,
                use_of_an_identity_is_recorded, only_its_owner_removes_an_identity,
                a_flow_is_kept_until_it_is_spent_once, a_sign_in_code_is_used_once_or_revoked_unused,
                an_id_token_is_used_once, expired_sign_ins_are_deleted;
            tokens: a_new_token_is_live, a_token_is_spent_once, an_expired_token_is_not_spent,
                a_revoked_token_is_not_spent, revoking_forgets_no_spending, what_is_not_there_is_neither_spent_nor_revoked,
                only_a_live_token_of_an_account_is_added_and_once, times_of_a_token_hold_to_the_microsecond;
            sessions: a_session_is_kept_until_it_is_ended,
                authentication_of_a_session_is_kept_and_replaced_until_it_ends, a_token_belongs_to_its_session,
                token_without_session_belongs_to_the_session_of_its_jti,
                rotation_is_refused_if_session_is_foreign_ended_or_too_old,
                an_end_counts_once_and_revokes_the_live_token, all_sessions_end_but_the_one_that_is_spared,
                all_sessions_end_but_those_of_the_device_that_is_spared,
                sessions_are_listed_newest_first_with_their_last_use,
                least_recently_used_session_is_first_despite_clock_skew, a_timeline_is_told_newest_first,
                what_can_be_repeated_fills_no_timeline, bearers_are_found_together,
                dead_sessions_are_deleted_with_their_timelines, of_many_who_end_a_session_one_does,
                an_ended_session_never_refreshes_whatever_the_order,
                session_begun_while_all_end_is_ended_or_refused;
            sources: a_source_is_known_by_any_session_that_began_there;
            transactions: a_commit_is_seen_by_whoever_comes_next, an_error_undoes_all_of_it, a_rollback_undoes_all_of_it,
                a_panic_undoes_all_of_it_and_the_store_goes_on, a_reader_sees_no_half_of_a_write,
                a_reading_transaction_does_not_write, what_failed_is_not_committed, the_works_own_error_comes_back;
            races: one_of_64_spenders_wins, one_of_50_registrations_wins, spending_and_revoking_exclude_each_other,
                one_of_many_new_hashes_wins;
            maintenance: dead_rows_are_counted_and_deleted_and_no_others,
                a_survey_goes_row_by_row_and_a_purge_stays_in_its_stretch;
            rotations: a_rotation_spends_a_token_and_adds_its_successor,
                a_rotation_may_ask_for_a_verified_address, rotations_without_a_key_and_with_one_keep_to_the_microsecond, no_rotation_is_nothing,
                rotations_in_one_call_stand_and_fall_alone, one_of_many_rotations_of_a_token_in_one_call_succeeds,
                rotation_that_cannot_be_stored_undoes_its_whole_batch, one_of_64_rotations_at_once_wins,
                concurrent_batches_of_the_same_tokens_rotate_each_once,
                rotating_and_revoking_exclude_each_other;
        }
    };
}

/// Checks one promise on an empty store.
pub type Promise = fn(&dyn Store) -> Result<(), StoreError>;

/// Returns every promise, for tests that need all operations of a store.
#[must_use]
pub fn promises() -> Vec<Promise> {
    crate::store_promises! { store_conformance @list }
}
