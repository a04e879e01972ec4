//! Where tokens come from.
//!
//! A [`TokenSource`] is asked for a token before a request is sent, and again when a server refused one. To add a
//! place where tokens are found, implement the trait; to use several, put them into a [`ChainSource`] or a [`HostMap`].
//!
//! | source | where it looks |
//! |---|---|
//! | [`Discovery`] | the default: WLCG Bearer Token Discovery, then IGWN's variables, then HTCondor's credentials |
//! | [`FixedSource`] | a given token |
//! | [`FileSource`] | a given file, read again when it has changed |
//! | [`CommandSource`] | the output of a program |
//! | [`from_fn`] | what a function returns |
//! | `scitoken_storage::StoredSource` | a token storage, with renewal |
//! | `AgentSource` | a running `oidc-agent` (on Unix) |
//! | [`ChainSource`] | several sources, one after the other |
//! | [`HostMap`] | another source for each server |

#[cfg(unix)]
mod agent;
mod chain;
mod choose;
mod command;
mod condor;
mod discovery;
mod error;
mod file;
mod finding;
mod fixed;
mod function;
mod host_map;
mod ranking;
mod report;
mod request;

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

#[cfg(unix)]
pub use agent::AgentSource;
pub use chain::ChainSource;
pub use choose::MismatchReason;
pub use command::CommandSource;
pub use discovery::Discovery;
pub use error::SourceError;
pub use file::{FileSource, TokenFileError};
pub use finding::{DiscoveryFinding, DiscoveryLocation, DiscoveryResult, DiscoveryStep};
pub use fixed::FixedSource;
pub use function::{FnSource, from_fn};
pub use host_map::HostMap;
pub use ranking::{RankedToken, TokenStanding};
pub use report::DiscoveryReport;
pub(crate) use request::Notes;
pub use request::TokenRequest;

use scitoken_types::AccessToken;

/// A place where tokens are found.
///
/// # Contract
/// * `Ok(Some(token))`: use this one.
/// * `Ok(None)`: this source has no token; ask the next one.
/// * `Err(error)`: the source is configured but fails; stop and report it. An [expired](SourceError::expired) token is such
///   an error too, but a chain asks its next source then.
///
/// A token is not verified before it is attached. A source must not contact an address that came from a server: the
/// [challenge](TokenRequest::challenge) helps to choose a token and is never followed.
///
/// The future may be dropped at any point; the next call starts again. Answers are cached for about a second
/// unless the token states [another time](AccessToken::with_max_age), by source, origin, audience and scopes (not by path,
/// so a source that chooses by path should state no time), and many requests that wait for the same
/// answer wait for one call.
///
/// # Examples
/// ```
/// use reqwest_scitokens::AccessToken;
/// use reqwest_scitokens::{SourceError, TokenRequest, TokenSource};
///
/// #[derive(Debug)]
/// struct OnlyAtHome;
///
/// impl TokenSource for OnlyAtHome {
///     async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
///         if request.url().host_str() != Some("home.example.org") {
///             return Ok(None);
///         }
///         Ok(Some(AccessToken::new("c2VjcmV0")?.with_origin_label("the home server's token")))
///     }
/// }
/// ```
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// Looks for a token for the request.
    fn token(
        &self,
        request: &TokenRequest<'_>,
    ) -> impl Future<Output = Result<Option<AccessToken>, SourceError>> + Send;

    /// Returns whether a question for this request costs no more than a look at a file.
    ///
    /// Such a source is asked after each refusal, so that a token that was replaced is used at once; any other is asked about
    /// one refused token once a second at most.
    fn is_cheap(&self, request: &TokenRequest<'_>) -> bool {
        let _ = request;
        false
    }
}

/// Any [`TokenSource`], in a form that can be cloned and put into lists.
///
/// Two of them are equal when they are clones of one.
#[derive(Clone)]
pub struct SharedTokenSource {
    source: Arc<dyn ErasedTokenSource>,
    fixed: Option<AccessToken>,
}

impl SharedTokenSource {
    /// Looks for a token for the request; see [`TokenSource::token`].
    pub async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        self.source.token(request).await
    }

    /// Returns whether a question for this request costs no more than a look at a file.
    pub(crate) fn is_cheap(&self, request: &TokenRequest<'_>) -> bool {
        self.source.is_cheap(request)
    }

    /// The token, where the source is nothing but one.
    pub(crate) fn fixed(&self) -> Option<&AccessToken> {
        self.fixed.as_ref()
    }
}

impl<S: TokenSource> From<S> for SharedTokenSource {
    fn from(source: S) -> Self {
        Self { source: Arc::new(source), fixed: None }
    }
}

impl PartialEq for SharedTokenSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }
}

impl Eq for SharedTokenSource {}

impl Hash for SharedTokenSource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.source).cast::<()>().hash(state);
    }
}

impl fmt::Debug for SharedTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<AccessToken>, SourceError>> + Send + 'a>>;

/// [`TokenSource`] in an object-safe form.
trait ErasedTokenSource: fmt::Debug + Send + Sync {
    fn token<'a>(&'a self, request: &'a TokenRequest<'a>) -> TokenFuture<'a>;

    fn is_cheap(&self, request: &TokenRequest<'_>) -> bool;
}

impl<S: TokenSource> ErasedTokenSource for S {
    fn token<'a>(&'a self, request: &'a TokenRequest<'a>) -> TokenFuture<'a> {
        Box::pin(TokenSource::token(self, request))
    }

    fn is_cheap(&self, request: &TokenRequest<'_>) -> bool {
        TokenSource::is_cheap(self, request)
    }
}
