//! Error responses: the mapping from error code to status, and the two body formats.

mod api_error;
mod dto;
mod from_use_cases;
mod preference;
mod problem;
mod status;

pub(crate) use api_error::{ApiError, Challenge, FieldError};
pub(crate) use dto::{ErrorBody, ErrorDetails, ErrorResponse, ProblemDocument};
pub(crate) use from_use_cases::{Described, reauthentication_methods};
pub(crate) use preference::Preference;
pub(crate) use problem::{JSON, Problem, SkipEnvelope};
use status::code_of;
pub(crate) use status::status_of;
