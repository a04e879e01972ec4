//! The middleware: one request from the question for a token to the answer of the server.
//!
//! | file | what it holds |
//! |---|---|
//! | `middleware` | [`AuthMiddleware`]: the only file that sends anything |
//! | `hop` | may a token go there, and which |
//! | `decide` | what to do with an answer, as a pure function |
//! | `redirect` | [`RedirectMiddleware`]: the redirect loop, above the middleware |
//! | `chain` | who along a chain of redirects may have a token |
//! | `cache` | one question to a source however many wait |
//! | `challenge` | [`Challenge`]: what a server says when it wants a token |
//! | `netrc` | names and passwords of `.netrc`, where no token goes |
//! | `options` | [`AuthOptions`] and the choices in it |
//! | `trace`, `outcome` | [`AuthTrace`]: what happened, and how it ended |
//! | `check`, `explain` | [`Explanation`]: a token laid beside a request, and why it was refused |

mod broken;
mod builder;
mod cache;
mod chain;
mod challenge;
mod challengers;
mod check;
mod conceal;
mod decide;
mod drain;
mod explain;
mod hop;
mod in_url;
mod location;
mod middleware;
mod netrc;
mod options;
mod outcome;
mod placement;
mod redirect;
mod spare;
mod trace;

pub use builder::AuthMiddlewareBuilder;
pub use challenge::{Challenge, ChallengeError};
pub use check::{Check, Verdict, check_token};
pub use explain::Explanation;
pub use middleware::AuthMiddleware;
pub(crate) use netrc::NetrcMiddleware;
pub use options::{
    Attach, AuthOptions, ForbiddenReplay, Placement, RedirectTrust, ReplayableBody, RequestBuilderExt,
};
pub use outcome::{NotAttached, Outcome, Refusal};
#[cfg(feature = "aws-lc-rs")]
pub(crate) use redirect::DontFollow;
pub use redirect::{CleartextRedirects, RedirectMiddleware};
pub use trace::{Attempt, AuthTrace, ResponseExt};
