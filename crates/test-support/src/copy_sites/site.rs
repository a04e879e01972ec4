//! One site: what it has, and how it answers in its manner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use crate::chaos_server::{Asked, Reply};

/// How a site behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    XRootD5,
    XRootD6,
    DCache,
    /// WebDAV without `COPY`.
    NoCopy,
}

pub(super) type Change = Arc<dyn Fn(&Asked, Reply) -> Reply + Send + Sync>;

#[derive(Default)]
pub(super) struct Site {
    pub(super) manners: Option<Manners>,
    pub(super) token: String,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) directories: BTreeSet<String>,
    pub(super) origin: String,
    pub(super) change: Option<Change>,
}

pub(super) type World = Arc<[Mutex<Site>; 2]>;

/// Returns an answer in chunks, one for each line.
pub fn chunked(status: &str, headers: &[(&str, &str)], lines: &str) -> Reply {
    let mut body = String::new();
    for line in lines.split_inclusive('\n') {
        let _ = write!(body, "{:x}\r\n{line}\r\n", line.len());
    }
    body.push_str("0\r\n\r\n");
    let mut all = vec![("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")];
    all.extend_from_slice(headers);
    Reply::new(status, &all, body)
}

/// Returns a performance marker.
pub fn marker(bytes: usize) -> String {
    format!(
        "Perf Marker\n    Timestamp: 1795321029\n    Stripe Index: 0\n    Stripe Bytes Transferred: {bytes}\n    \
         Total Stripe Count: 1\nEnd\n"
    )
}

pub(super) fn server_name(manners: Manners) -> &'static str {
    match manners {
        Manners::XRootD5 => "XrootD/v5.5.3",
        Manners::XRootD6 => "XRootD",
        Manners::DCache => "dCache/9.2.1",
        Manners::NoCopy => "WebDAV",
    }
}

pub(super) fn text(site: &Site, status: &str, body: &str) -> Reply {
    let name = server_name(site.manners.unwrap());
    Reply::sized(status, &[("Server", name), ("Content-Type", "text/plain")], body)
}

/// Whether a request may read or write a path.
pub(super) fn permits(site: &Site, method: &str, path: &str, authorization: Option<&str>) -> bool {
    let reads = matches!(method, "GET" | "HEAD" | "PROPFIND" | "OPTIONS");
    method == "OPTIONS"
        || reads && path.starts_with("/public")
        || authorization == Some(format!("Bearer {}", site.token).as_str())
}

pub(super) fn refusal(site: &Site, method: &str, path: &str) -> Reply {
    let body = format!("Unable to open {path}; permission denied\n");
    match (site.manners.unwrap(), method) {
        (Manners::XRootD5, "COPY") | (Manners::DCache, _) => text(site, "401 Unknown", &body),
        _ => text(site, "403 Forbidden", &body),
    }
}
