//! Notice of success on the page that a form leads to. The query names it; the texts are fixed.

use crate::pages::account::see_other;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

/// A change that was made. Its name is that of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    PasswordChanged,
    PasswordSet,
    AppAdded,
    SecondStepOn,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
    AppRenamed,
    AppRemoved,
    SecondStepOff,
    DeviceForgotten,
    DevicesForgotten,
    SignedOut,
    OthersSignedOut,
    IdentityLinked,
    IdentityUnlinked,
    EmailRequested,
}

/// Query of a page.
#[derive(Serialize, Deserialize)]
struct Flag {
    done: Done,
}

impl Done {
    pub(super) const ALL: [Self; 17] = [
        Self::PasswordChanged,
        Self::PasswordSet,
        Self::AppAdded,
        Self::SecondStepOn,
        Self::PasskeyAdded,
        Self::PasskeyRenamed,
        Self::PasskeyRemoved,
        Self::AppRenamed,
        Self::AppRemoved,
        Self::SecondStepOff,
        Self::DeviceForgotten,
        Self::DevicesForgotten,
        Self::SignedOut,
        Self::OthersSignedOut,
        Self::IdentityLinked,
        Self::IdentityUnlinked,
        Self::EmailRequested,
    ];

    /// Reads the notice that a request names, if any.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        Query::<Flag>::from_query(request.query_string()).ok().map(|query| query.into_inner().done)
    }

    /// Returns the relative URL of a page with this notice.
    pub(super) fn url(self, page: &str) -> String {
        let name = serde_json::to_value(self).ok();
        format!("{page}?done={}", name.as_ref().and_then(|name| name.as_str()).unwrap_or_default())
    }

    /// Sends the browser to a page with this notice.
    pub(super) fn at(self, page: &str) -> HttpResponse {
        see_other(&self.url(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_page_displays_a_known_notice_only() {
        let read = |target: &str| Done::of(&TestRequest::get().uri(target).to_http_request());
        for done in Done::ALL {
            assert_eq!(read(&format!("/account/{}", done.url("security"))), Some(done));
        }
        assert_eq!(read("/account/security?done=app_removed&error=x"), Some(Done::AppRemoved));
        for other in ["", "?done=", "?done=Hello", "?done=app_removed&done=app_added"] {
            assert_eq!(read(&format!("/account/security{other}")), None, "{other}");
        }
    }
}
