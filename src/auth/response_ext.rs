//! The trace of a response.

use reqwest::Response;

use super::explain::Explanation;
use super::trace::AuthTrace;

/// The trace and the explanation of a response.
///
/// ```
/// use reqwest_scitokens::ResponseExt;
///
/// fn report(response: &reqwest::Response) -> String {
///     match response.explain() {
///         Some(explanation) => explanation.to_string(),
///         None => format!("{} attempts", response.auth_trace().map_or(0, |trace| trace.attempts().len())),
///     }
/// }
///
/// let response = reqwest::Response::from(http::Response::new("data"));
/// assert_eq!(report(&response), "0 attempts");
/// ```
pub trait ResponseExt {
    /// Returns what happened to the request; `None` when no middleware of this library took part.
    fn auth_trace(&self) -> Option<&AuthTrace>;

    /// Explains why the server refused, if it did; see [`AuthTrace::explain`].
    fn explain(&self) -> Option<Explanation> {
        self.auth_trace()?.explain()
    }
}

impl ResponseExt for Response {
    fn auth_trace(&self) -> Option<&AuthTrace> {
        self.extensions().get()
    }
}

impl<T> ResponseExt for http::Response<T> {
    fn auth_trace(&self) -> Option<&AuthTrace> {
        self.extensions().get()
    }
}
