//! The methods of WebDAV.

use http::Method;

/// A method of WebDAV.
pub(crate) fn method(name: &'static str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("the name is a token")
}
