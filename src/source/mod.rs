//! Where tokens come from.
//!
//! A [`TokenSource`] is asked for a token before a request is sent, and again when a server refused one. To add a
//! place where tokens are found, implement the trait; to use several, put them into a [`Chain`] or a [`HostMap`].
//!
//! | source | where it looks |
//! |---|---|
//! | [`Discovery`] | the default: WLCG Bearer Token Discovery, then IGWN's variables, then HTCondor's credentials |
//! | [`FixedSource`] | a token that the program was given |
//! | [`FileSource`] | a file that the program was given, read anew when it changed |
//! | [`CommandSource`] | the output of a program |
//! | [`StoredSource`] | a token storage, with renewal |
//! | `AgentSource` | a running `oidc-agent` (on Unix) |
//! | [`Chain`] | several sources, one after the other |
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
mod fixed;
mod host_map;
mod request;
mod stored;
mod survey;
mod text;

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

#[cfg(unix)]
pub use agent::AgentSource;
pub use chain::Chain;
pub use choose::Misfit;
pub use command::CommandSource;
pub use discovery::Discovery;
pub use error::SourceError;
pub(crate) use file::read_with_care;
pub use file::{FileProblem, FileSource};
pub use fixed::FixedSource;
pub use host_map::HostMap;
pub(crate) use request::Notes;
pub use request::TokenRequest;
pub use stored::StoredSource;
pub use survey::{Finding, Found, Place, Step, Survey};

use crate::token::AccessToken;

/// A place where tokens are found.
///
/// # Contract
/// * `Ok(Some(token))`: use this one.
/// * `Ok(None)`: nothing here, ask the next source.
/// * `Err(error)`: something is here and it is broken; stop and say so. An [expired](SourceError::expired) token
///   is such an error too, but a chain goes on past it.
///
/// Nobody verifies a token in order to attach it, and a source must not reach out to any address that came from
/// a server: the [challenge](TokenRequest::challenge) is there to choose by, not to follow.
///
/// The future may be dropped at any point; the next call starts anew. Answers are cached for about a second
/// unless the token states [another time](AccessToken::with_reuse), by source, origin, audience and scopes (not by path,
/// so a source that chooses by path should state no time), and many requests that wait for the same
/// answer wait for one call.
///
/// # Examples
/// ```
/// use reqwest_scitokens::{AccessToken, SourceError, TokenRequest, TokenSource};
///
/// #[derive(Debug)]
/// struct OnlyAtHome;
///
/// impl TokenSource for OnlyAtHome {
///     async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
///         if request.url().host_str() != Some("home.example.org") {
///             return Ok(None);
///         }
///         Ok(Some(AccessToken::new("c2VjcmV0")?.with_found_in("my cupboard")))
///     }
/// }
/// ```
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// Looks for a token for the request.
    fn token(
        &self,
        request: &TokenRequest<'_>,
    ) -> impl Future<Output = Result<Option<AccessToken>, SourceError>> + Send;
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

/// The object-safe twin of [`TokenSource`].
trait ErasedTokenSource: fmt::Debug + Send + Sync {
    fn token<'a>(&'a self, request: &'a TokenRequest<'a>) -> TokenFuture<'a>;
}

impl<S: TokenSource> ErasedTokenSource for S {
    fn token<'a>(&'a self, request: &'a TokenRequest<'a>) -> TokenFuture<'a> {
        Box::pin(TokenSource::token(self, request))
    }
}
