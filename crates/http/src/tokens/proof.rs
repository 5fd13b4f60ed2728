//! What a request brings to prove that its user is the owner of the account.

use crate::body::Member;
use crate::errors::{ApiError, FieldError};
use portcullis_domain::registration::Password;
use portcullis_usecases::login::OwnerProof;
use portcullis_usecases::tokens::Authenticated;

/// Returns the proof of a request. Only an account without a password may omit `member`.
pub(crate) fn proof(
    session: &Authenticated,
    password: Option<Password>,
    member: Member,
) -> Result<OwnerProof, ApiError> {
    match password {
        Some(password) => Ok(OwnerProof::Password(password)),
        None if session.has_password => Err(ApiError::validation(vec![FieldError::missing(member.name)])),
        None => Ok(OwnerProof::RecentSession),
    }
}
