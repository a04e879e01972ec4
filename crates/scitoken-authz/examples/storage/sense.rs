//! Requests that are allowed and make no sense, which dav-server would answer by removing files.

use http::header::CONTENT_RANGE;
use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode};
use scitoken_types::ResourcePath;

use super::Storage;

impl Storage {
    /// Refuses what RFC 4918 and RFC 9110 have a status for.
    pub(super) fn check_sense(
        &self,
        parts: &Parts,
        path: &ResourcePath,
        destination: Option<&ResourcePath>,
    ) -> Result<(), StatusCode> {
        let method = parts.method.as_str();
        let found = self.look_up(path);
        // `storage.read:/f/` covers the directory `/f/`, not a file `/f`.
        let is_file = found.as_ref().is_some_and(|found| !found.is_dir());
        if path.is_directory() && is_file && method != "MKCOL" {
            return Err(if parts.method == Method::PUT {
                StatusCode::CONFLICT
            } else {
                StatusCode::NOT_FOUND
            });
        }
        match method {
            "PUT" if found.is_some_and(|found| found.is_dir()) => Err(StatusCode::METHOD_NOT_ALLOWED),
            "PUT" if path.is_directory() || !self.has_parent(path) => Err(StatusCode::CONFLICT),
            // RFC 9110 section 14.5
            "PUT" if parts.headers.contains_key(CONTENT_RANGE) => Err(StatusCode::BAD_REQUEST),
            "DELETE" if is_root(path) => Err(StatusCode::FORBIDDEN),
            // RFC 4918 section 9.6.1
            "DELETE" if !is_file && parts.headers.get("depth").is_some_and(|depth| depth != "infinity") => {
                Err(StatusCode::BAD_REQUEST)
            }
            "COPY" | "MOVE" => {
                let destination = destination.ok_or(StatusCode::BAD_REQUEST)?;
                // What is replaced is removed first, and with it the source; a copy of itself never ends.
                if holds(destination, path) || holds(path, destination) {
                    return Err(StatusCode::FORBIDDEN);
                }
                if is_file && destination.is_directory() {
                    return Err(StatusCode::CONFLICT);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn has_parent(&self, path: &ResourcePath) -> bool {
        let components: Vec<&str> = path.components().collect();
        let parent = components.split_last().map(|(_, parent)| format!("/{}", parent.join("/")));
        parent
            .and_then(|parent| ResourcePath::from_decoded(&parent).ok())
            .is_some_and(|it| self.is_directory(&it))
    }
}

fn is_root(path: &ResourcePath) -> bool {
    path.components().next().is_none()
}

/// Returns whether `outer` is `inner` or one of its parents, however they are written.
fn holds(outer: &ResourcePath, inner: &ResourcePath) -> bool {
    let mut inner = inner.components();
    outer.components().all(|component| inner.next() == Some(component))
}

/// Returns whether both name one host and port; the default ports of HTTP may be left out.
pub(super) fn is_same_host(there: &Authority, here: &[u8]) -> bool {
    let Ok(here) = Authority::try_from(here) else { return false };
    let is_same_port = match (there.port_u16(), here.port_u16()) {
        (None, Some(80 | 443)) | (Some(80 | 443), None) => true,
        (there, here) => there == here,
    };
    // An authority with user info is not a host (RFC 9110 section 4.2.4).
    !there.as_str().contains('@') && there.host().eq_ignore_ascii_case(here.host()) && is_same_port
}
