//! What a director is asked for.

use http::Method;
use url::Url;

use crate::object_name::object_path::ObjectPath;

/// The sort of servers that a query is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum QueryKind {
    /// Caches.
    #[default]
    Read,
    /// Caches that have the object already.
    ReadCached,
    /// Origins.
    ReadDirectly,
    /// Origins that store objects.
    Write,
    /// Origins that remove objects.
    Delete,
}

impl QueryKind {
    /// Returns the method of the query: that of the request to the object server.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Read | Self::ReadCached | Self::ReadDirectly => Method::GET,
            Self::Write => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Returns the URL of a query: the director's, the object's path, and the parameter of the kind. It has no token.
pub(crate) fn query_url(director: &Url, kind: QueryKind, path: &ObjectPath) -> Url {
    let mut url = director.clone();
    url.set_path(&format!("{}{}", director.path().trim_end_matches('/'), path.as_encoded()));
    url.set_query(match kind {
        QueryKind::Read | QueryKind::Write | QueryKind::Delete => None,
        QueryKind::ReadCached => Some("prefercached"),
        QueryKind::ReadDirectly => Some("directread"),
    });
    url
}
