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
//! # Where to start
//!
//! | you want to | use |
//! |---|---|
//! | get one file | [`scitoken_get`], and the functions for the other methods |
//! | make many requests | [`Session`] |
//! | keep your own client, its retries and tracing | [`ClientBuilderExt::with_scitokens`], or [`AuthMiddleware`] itself |
//! | change the options of one request | [`RequestBuilderExt`]: `token`, `audience`, `attach` |
//! | stay synchronous | `blocking` (feature `blocking`) |
//! | find tokens elsewhere | [`FileSource`], [`CommandSource`](source::CommandSource), [`HostMap`], `scitoken_storage::StoredSource`, or your own [`TokenSource`] |
//! | know what happened, and why a server refused | [`ResponseExt::auth_trace`], [`ResponseExt::explain`] |
//!
//! Other crates of this project:
//!
//! | crate | what it offers |
//! |---|---|
//! | `scitoken-types` | tokens, scopes, audiences and origins; re-exported here as [`types`] |
//! | `scitoken-jwt` | encodes and decodes JWTs as PyJWT does; keys and JWKS |
//! | `scitoken-authz` | issues, verifies and enforces SciTokens and WLCG tokens as the reference libraries do |
//! | `scitoken-storage` | Globus' token storages, OAuth logins, renewal of stored tokens |
//! | `scitoken-gafaelfawr` | Gafaelfawr's token model and API |
//! | `scitoken-transfer` | verified, resumable downloads and uploads; WebDAV; Pelican federations |
//! | `scitoken` | the program |
//!
//! # What happens to a token
//!
//! * [`Discovery`] finds it, at most once a second; it is not used after it expired.
//! * It goes to the origin that you named, over https or to this machine. A *redirect* target gets it only if the
//!   token's own audience names that origin, or if you [trust](RedirectTrust) it.
//! * It is attached [when one is found](Attach::WhenFound), because servers such as XRootD never ask. After a `401`
//!   with a Bearer challenge, or XRootD's `403` without one, the source is asked once more, and the request is sent
//!   once more if the source has a *different* token. No address in a challenge is ever used.
//! * An `Authorization` header of your own is left alone. `.netrc` is read only on [request](SessionBuilder::netrc),
//!   and its passwords go only to servers for which there is no token.
//! * It is never shown: not in `Debug`, errors or logs; [`SafeUrl`] shows URLs.
//!
//! # When a request fails
//!
//! The error is a [`reqwest_middleware::Error`]; [`Error::find`] returns what this library put into it. Its causes are its
//! sources, and [`ErrorChain`](types::ErrorChain) writes them in one line:
//!
//! ```no_run
//! # async fn run(session: reqwest_scitokens::Session) {
//! use reqwest_scitokens::types::ErrorChain;
//!
//! if let Err(error) = session.get("https://data.example.org/f").send().await {
//!     // error sending request for url (https://data.example.org/f): … connection refused
//!     eprintln!("{}", ErrorChain::new(&error));
//! }
//! # }
//! ```
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
//! | `HTTPSciTokenAuth(token)` | an [`AccessToken`] as the source |
//! | `utils.default_audience(url)` | [`default_audience`](types::default_audience) |
//! | `response.history` | [`AuthTrace::attempts`](auth::AuthTrace::attempts) |
//! | `igwn_auth_utils.find_token(audience, scope)` | [`Discovery`], asked with a [`TokenRequest`] |
//! | `find_token(issuer=…)` | a [`HostMap`], or your own [`TokenSource`] |
//! | `igwn_auth_utils.requests.get(url, token_audience=…, token_scope=…)` | [`RequestBuilderExt::audience`], [`RequestBuilderExt::scope`] |
//! | `fail_if_noauth=True` | [`Attach::Required`] |
//! | `force_noauth=True` | [`Attach::Never`] |
//! | `SessionErrorMixin`, `raise_for_status` | `Response::error_for_status` |
//! | `target_audience(url, include_any=True)` | [`Discovery`] compares audiences so |
//! | `default_bearer_token_file()` | [`Discovery::default_file`] |
//! | `get_scitoken(…)`, which runs htgettoken | [`CommandSource`](source::CommandSource) |
//! | netrc, which requests reads by default | [`SessionBuilder::netrc`]; a token always wins |
//! | `cert=`, X.509 | not here |
//!
//! requests-scitokens also verifies a token before it attaches it, and follows redirects with it to any host; this
//! crate does neither.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tls` | yes | TLS by rustls with AWS-LC; the grid's certificate authorities |
//! | `blocking` | | [`blocking`]: the same for programs that are not async |
//! | `cookies` | | a [`Session`] keeps the cookies of a run, which logins by redirect need |
//! | `named-certificates` | | a server whose own certificate was added is trusted, though no authority signed it |
//!
//! Features only add. On [`docs.rs`](https://docs.rs/reqwest-scitokens) all are shown.
//!
//! Linux is tested. Windows and macOS have code paths of their own, which are not tested.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod auth;
#[cfg(feature = "tls")]
mod authorities;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
mod broken_connection;
mod challenge;
pub mod client;
#[cfg(feature = "cookies")]
mod cookies;
mod error;
mod get;
mod hint;
#[cfg(feature = "named-certificates")]
mod named_certificates;
pub mod netrc;
mod proxy;
mod proxy_errors;
mod proxy_failure;
mod reconnect;
mod resolver;
pub mod source;
mod stated_url;
mod www_authenticate;

pub use auth::{Attach, AuthMiddleware, RedirectMiddleware, RedirectTrust, RequestBuilderExt, ResponseExt};
pub use client::{ClientBuilderExt, Session, SessionBuilder};
pub use error::Error;
pub use get::{
    scitoken_delete, scitoken_get, scitoken_head, scitoken_patch, scitoken_post, scitoken_put,
    scitoken_request,
};
#[doc(no_inline)]
pub use scitoken_types as types;
#[doc(inline)]
pub use scitoken_types::{AccessToken, Audience, Origin, OriginPattern, SafeUrl, Scope};
pub use source::{Discovery, FileSource, HostMap, SharedTokenSource, SourceError, TokenRequest, TokenSource};

/// The examples of the Markdown pages, compiled as those of the docs are.
#[cfg(all(doctest, feature = "tls"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/migration/igwn-auth-utils.md")]
    struct IgwnAuthUtils;
    #[doc = include_str!("../docs/migration/requests-scitokens.md")]
    struct RequestsScitokens;
}
