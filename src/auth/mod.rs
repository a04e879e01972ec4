//! The middleware: one request, from the search for a token to the answer of the server.
//!
//! A reader follows a request through five files: `redirect`, `middleware`, `attempt`, `policy` and `decide`.
//!
//! | file | what it holds |
//! |---|---|
//! | `middleware` | [`AuthMiddleware`]: authorize, send, decide, reauthorize, send once more, record |
//! | `attempt` | which token the sources have for one origin |
//! | `policy` | which token may go where, as pure functions |
//! | `decide` | what to do with an answer, as a pure function |
//! | `redirect` | [`RedirectMiddleware`]: the redirect loop, and what it has met |
//! | `request_template` | the copy from which a request is made again |
//! | `cache` | tokens by origin, audience and scopes; a source is asked once for all waiting requests |
//! | `challenged_origins` | the origins that have challenged a request |
//! | `url_credentials` | credentials in URLs |
//! | `transport` | bodies that are drained, uploads that break |
//! | `builder`, `options`, `attach`, `placement` | [`AuthMiddlewareBuilder`], [`AuthOptions`] and the choices in them |
//! | `trace`, `outcome` | [`AuthTrace`]: what happened, and how it ended |
//! | `explain` | [`Explanation`]: the token's claims against the request, and why it was refused |

mod attach;
mod attempt;
mod builder;
mod cache;
mod challenged_origins;
mod decide;
mod explain;
mod middleware;
mod options;
mod outcome;
mod placement;
mod policy;
mod redirect;
mod refusal_answer;
mod request_template;
mod response_ext;
mod trace;
mod transport;
mod url_credentials;

pub use crate::challenge::{Challenge, ChallengeError, basic_realm, challenge_schemes};
pub use crate::error::RedirectProblem;
pub use crate::hint::Hint;
pub use attach::{Attach, InvalidAttach};
pub use builder::AuthMiddlewareBuilder;
pub use explain::{Explanation, TokenCheck, Verdict, check_token};
pub use middleware::AuthMiddleware;
pub use options::{AuthOptions, ForbiddenReplay, RedirectTrust, ReplayableBody, RequestBuilderExt};
pub use outcome::{AuthOutcome, NotAttached, ReplayRefusal};
pub use placement::Placement;
pub(crate) use redirect::RedirectContext;
pub use redirect::{CleartextRedirects, RedirectMiddleware, RefuseCollections};
pub(crate) use request_template::SentAgain;
pub use response_ext::ResponseExt;
pub use trace::{Attempt, AuthTrace};
