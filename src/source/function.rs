//! A function as a source.

use std::any::type_name;
use std::fmt;
use std::future::Future;

use super::{SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;

/// A source that calls a function; [`from_fn`] returns one.
#[derive(Clone, Copy)]
pub struct FnSource<F>(F);

/// Returns a source that asks a function for tokens, under the [contract](TokenSource) of every source.
///
/// The future does not borrow the request: the function takes from it what it needs before the `async` block.
///
/// ```
/// use reqwest_scitokens::{AccessToken, Session, source};
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::builder()
///     .source(source::from_fn(|request| {
///         let is_ours = request.url().host_str() == Some("data.example.org");
///         async move { if is_ours { Ok(Some(AccessToken::new("c2VjcmV0")?)) } else { Ok(None) } }
///     }))
///     .build()?;
/// # let _ = session;
/// # Ok(())
/// # }
/// ```
pub fn from_fn<F, A>(function: F) -> FnSource<F>
where
    F: Fn(&TokenRequest<'_>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<AccessToken>, SourceError>> + Send + 'static,
{
    FnSource(function)
}

impl<F, A> TokenSource for FnSource<F>
where
    F: Fn(&TokenRequest<'_>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<AccessToken>, SourceError>> + Send + 'static,
{
    fn token(
        &self,
        request: &TokenRequest<'_>,
    ) -> impl Future<Output = Result<Option<AccessToken>, SourceError>> + Send {
        self.0(request)
    }
}

impl<F> fmt::Debug for FnSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FnSource").field(&type_name::<F>()).finish()
    }
}
