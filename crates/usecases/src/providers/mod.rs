//! Sign-in with identity providers: the flow through a browser, ID tokens of native apps, and the identities
//! linked to accounts.
//!
//! A call to a provider may take seconds, so each use case is divided: the steps that call it use no store, and
//! the steps that use the store call no provider.

mod callback;
mod code;
mod continue_in_app;
mod error;
mod flow;
mod id_token;
mod identities;
mod link;
mod provider;
mod resolve;
mod start;

pub use callback::{CallbackResponse, CompleteSignIn, FlowRejection, OpenedFlow, ProviderCallback, SignInResult};
pub use code::{CodeExchange, CodeReason, ExchangeCode};
pub use continue_in_app::{AppSignIn, ContinueInApp};
pub use error::ProviderReason;
pub use id_token::{IdTokenReason, IdTokenSignIn, NativeSignIn, VerifiedIdToken};
pub use identities::{IdentitiesListed, IdentityReason, ListIdentities, UnlinkIdentity};
pub use link::{LinkOffer, LinkStart, StartLink};
pub use provider::{Provider, Providers};
pub use resolve::{NoAccount, ResolveAccount};
pub use start::{PreparedFlow, SignInStart, StartSignIn, StartedFlow};
