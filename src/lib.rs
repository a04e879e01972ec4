//! Token-aware HTTP for science.
//!
//! Scientists move data between sites with bearer tokens: SciTokens, WLCG tokens, Rubin's opaque `gt-` tokens, Globus'
//! tokens. A batch system or a login tool leaves the token in the environment or in a file, and replaces it while the
//! job runs. This crate finds it, attaches it as `Authorization: Bearer`, and answers a `401` once with another one.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let response = reqwest_scitokens::scitoken_get("https://data.example.org/vo/file").await?;
//! println!("{} bytes", response.error_for_status()?.bytes().await?.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin
//!
//! | you want to | use |
//! |---|---|
//! | get one file | [`scitoken_get`], and the other verbs beside it |
//! | make many requests | [`Session`] |
//! | keep your own client, its retries and tracing | [`ClientBuilderExt::with_scitokens`], or [`AuthMiddleware`] itself |
//! | do something else for one request | [`RequestBuilderExt`]: `token`, `audience`, `attach` |
//! | stay synchronous | `blocking` (feature `blocking`) |
//! | find tokens elsewhere | [`FileSource`], [`CommandSource`], [`HostMap`], [`StoredSource`], or your own [`TokenSource`] |
//! | know what happened, and why not | [`ResponseExt::auth_trace`], [`ResponseExt::explain`] |
//!
//! Around that, each in a room of its own:
//!
//! | room | what it is the equal of |
//! |---|---|
//! | `scitokens` (feature `aws-lc-rs`) | the SciTokens reference libraries: make, verify and enforce tokens |
//! | [`storage`], `oauth` | Globus' token storages, and tokens that renew themselves |
//! | `jwt`, `keys` (feature `aws-lc-rs`) | PyJWT |
//! | [`gafaelfawr`] | Gafaelfawr's token model and API |
//! | `download` (feature `download`) | a download engine that never hands over a wrong file |
//!
//! # What happens to a token
//!
//! * It is looked for as [`Discovery`] says, at most once a second, and not kept past its end.
//! * It goes to the origin that you named, over https or to this machine itself. A server that a *redirect* names gets it
//!   only if the token's own audience names that server, or if you [trust](RedirectTrust) it.
//! * It is attached [when there is one](Attach::WhenFound), because servers such as XRootD never ask. A `401` with a Bearer
//!   challenge, or XRootD's bare `403`, leads to one more question to the source, and to one more request if that has a
//!   *different* token. Nothing in a challenge is ever used as an address.
//! * An `Authorization` header of your own is left alone. There is no netrc here.
//! * Nobody is shown it: not in `Debug`, errors or logs; URLs are shown by [`SafeUrl`].
//!
//! # From requests-scitokens and igwn-auth-utils
//!
//! | Python | here |
//! |---|---|
//! | `requests_scitokens.get(url)`, `head`, `post`, `put`, `patch`, `delete` | [`scitoken_get`], [`scitoken_head`], [`scitoken_post`], [`scitoken_put`], [`scitoken_patch`], [`scitoken_delete`] |
//! | `requests_scitokens.request(method, url)` | [`scitoken_request`] |
//! | `get(url, token=…)` | [`RequestBuilderExt::token`] |
//! | `get(url, audience=…)` | [`RequestBuilderExt::audience`] |
//! | `get(url, session=…)` | [`Session::get`] |
//! | `requests_scitokens.Session` | [`Session`] |
//! | `SessionMixin` | [`ClientBuilderExt`] |
//! | `HTTPSciTokenAuth()` | [`AuthMiddleware`] with [`Attach::OnChallenge`]; by default it does not wait for the challenge |
//! | `HTTPSciTokenAuth(force=True)` | [`Attach::WhenFound`], the default; [`Attach::Required`] where no token is an error |
//! | `HTTPSciTokenAuth(token)` | a source that is that [`AccessToken`] |
//! | `utils.default_audience(url)` | [`default_audience`] |
//! | `response.history` | [`AuthTrace::attempts`] |
//! | `igwn_auth_utils.find_token(audience, scope)` | [`Discovery`], asked with a [`TokenRequest`] |
//! | `find_token(issuer=…)` | a [`HostMap`], or a [`TokenSource`] of your own |
//! | `igwn_auth_utils.requests.get(url, token_audience=…, token_scope=…)` | [`RequestBuilderExt::audience`], [`RequestBuilderExt::scope`] |
//! | `fail_if_noauth=True` | [`Attach::Required`] |
//! | `force_noauth=True` | [`Attach::Never`] |
//! | `SessionErrorMixin`, `raise_for_status` | `Response::error_for_status` |
//! | `target_audience(url, include_any=True)` | what [`Discovery`] compares audiences with by itself |
//! | `default_bearer_token_file()` | [`Discovery::default_file`] |
//! | `get_scitoken(…)`, which runs htgettoken | [`CommandSource`] |
//! | netrc, which requests reads by itself | [`SessionBuilder::netrc`], only if asked, and never over a token |
//! | `cert=`, X.509 | not here |
//!
//! The original also verifies a token before it attaches it, and follows redirects with it to any host; this crate does
//! neither.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls with AWS-LC; the grid's authorities |
//! | `aws-lc-rs` | yes | signatures: `keys`, `jwt`, `scitokens` |
//! | `tower` | yes | `scitokens::AuthorizeLayer`, for servers; two tiny crates that reqwest has already |
//! | `blocking` | | `blocking`: everything for programs that are not async |
//! | `oauth` | | `oauth`: getting and renewing tokens |
//! | `sqlite` | | token storages and key caches in SQLite |
//! | `keyring` | | token storages in the system's keyring |
//! | `download` | | `download`: verified, resumable transfers |
//! | `cli` | | the program `scitoken` |
//!
//! Features only add. On [`docs.rs`](https://docs.rs/reqwest-scitokens) all are shown.
//!
//! Linux is tested. Windows and macOS are written for, and untested.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
#[cfg(feature = "rustls")]
mod authorities;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
#[cfg(feature = "download")]
pub mod download;
mod error;
pub mod gafaelfawr;
mod get;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod jwt;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod keys;
mod netrc;
#[cfg(feature = "oauth")]
pub mod oauth;
mod origin;
mod proxy;
mod redact;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod scitokens;
mod source;
pub mod storage;
pub mod sys;
mod token;

pub use auth::{
    Attach, Attempt, AuthMiddleware, AuthMiddlewareBuilder, AuthOptions, AuthTrace, Challenge,
    ChallengeError, Check, CleartextRedirects, Explanation, ForbiddenReplay, NotAttached, Outcome, Placement,
    RedirectMiddleware, RedirectTrust, Refusal, ReplayableBody, RequestBuilderExt, ResponseExt, Verdict,
    check_token,
};
#[cfg(feature = "rustls")]
pub use client::SystemAuthorities;
pub use client::{ClientBuilderExt, Session, SessionBuilder};
pub use error::{Error, RedirectProblem};
pub use get::{
    scitoken_delete, scitoken_get, scitoken_head, scitoken_patch, scitoken_post, scitoken_put,
    scitoken_request,
};
pub use netrc::{InvalidNetrc, Netrc, NetrcError};
pub use origin::{InvalidPattern, NoOrigin, Origin, OriginPattern};
pub use redact::SafeUrl;
#[cfg(unix)]
pub use source::AgentSource;
pub use source::{
    Chain, CommandSource, Discovery, FileProblem, FileSource, Finding, FixedSource, Found, HostMap, Misfit,
    Place, SharedTokenSource, SourceError, Step, StoredSource, Survey, TokenRequest, TokenSource,
};
pub use token::{
    AccessToken, Audience, Capability, InvalidCapability, InvalidPath, InvalidScope, InvalidToken,
    MAX_TOKEN_LENGTH, Mistake, ResourcePath, Scope, UnverifiedClaims, default_audience,
};

/// The README's examples, compiled as the docs' are.
#[cfg(all(doctest, feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
