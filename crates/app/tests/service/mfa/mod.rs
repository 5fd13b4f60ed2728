//! The second factor, on both databases. The name of a test begins with the number of the sentence it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C0.1 | a right password alone is 403 `AUTH_MFA_REQUIRED`, with these details |
//! | C0.2 | `AUTH_MFA_ENROLMENT_REQUIRED` where a factor is required and there is none |
//! | C0.3 | `AUTH_STEP_UP_REQUIRED`: its details, its `WWW-Authenticate` |
//! | C0.5 | notices of new devices and `MAX_SESSIONS_PER_USER` come after the second factor |
//! | C0.6 | refresh, reset and verification begin no session |
//! | C0.7 | `auth_time` and `amr` in all sessions but those of a password alone; a refresh copies them |
//! | C0.8 | `AUTH_CLAIMS=always` |
//! | C0.9 | what is recent: at most ten minutes ago, with the second factor if there is one |
//! | C0.10 | `reauthenticate/options` |
//! | C0.11 | `reauthenticate`: the same session, a new access token, or `AUTH_INVALID_CREDENTIALS` |
//! | C0.12 | it counts as every password check |
//! | C0.14 | the first verification ends what another browser set up |
//! | C0.15 | so does a reset while unverified |
//! | C0.16 | a reset of a verified account keeps the factor |
//! | C0.17 | secrets are encrypted; keys rotate; a row that no key opens is a 503 and an `ERROR` line |
//! | C0.18 | a ciphertext is bound to its row |
//! | C0.19 | `RATE_LIMIT_MFA` |
//! | C0.20 | a source pays for calls without a bearer token |
//! | C0.21 | emails `factor_added`, `factor_removed`, `recovery_code_used` |
//! | C1.1 | `GET /auth/mfa` |
//! | C1.2 | an enrolment: secret, URI, picture, name |
//! | C1.3 | pending for ten minutes, one at a time, no factor until confirmed |
//! | C1.4 | at most five |
//! | C1.5 | confirming the first one: recovery codes, the end of other sessions, `mfa_enabled` |
//! | C1.6 | confirming a further one: neither |
//! | C1.7 | an expired, foreign, unknown or confirmed id is a 404 |
//! | C1.8 | a new name |
//! | C1.9 | removal, of the last factor and of another |
//! | C1.10 | recovery codes: new ones, their spelling, their hashes |
//! | C1.11 | a login may bring its code; a refusal does not say what was wrong |
//! | C1.12 | `verify`, and the end of its token |
//! | C1.13 | the `mfa_token`: its use, its account, its password, its session |
//! | C1.14 | the last recovery code brings ten new ones |
//! | C1.15 | time steps: one to each side, each once, none before the last |
//! | C1.16 | trusted devices |
//! | C1.17 | a lost device: an operator |
//! | C1.18 | `MFA_REQUIRED`: a token for an enrolment alone, then the login response |
//! | C1.19 | other programs on the same database; mailed links survive |
//! | C1.21 | `auth_time` after a reauthentication and after a refresh |
//! | C1.22 | a session of a trusted device is no second-factor authentication |
//! | C1.23 | a reauthentication needs both factors; a recovery code is one |
//! | C1.25 | a right password is no failure of the account |
//! | C1.26 | the tokens of `verify` and of an enrolment are not interchangeable |
//! | C1.27 | a refused `verify` spends nothing |
//! | C1.29 | `user reset-mfa` |
//! | C1.30 | the last factor stays where one is required; sessions from before go on |
//! | C1.31 | sessions that end are revoked for the FastAPI application too |
//! | C1.38 | an account goes with its factors |
//! | L10, M1, M2, M4, G2 | six digits are not guessed; codes are used once; one gate; no secret is logged |

mod claims;
mod clock;
mod codes;
mod devices;
mod encryption;
mod enrolment;
mod factors;
mod guessing;
mod limits;
mod login;
mod mfa_tokens;
mod notices;
mod operators;
mod others;
mod races;
mod required;
mod step_up;
mod verification;
mod ways;
